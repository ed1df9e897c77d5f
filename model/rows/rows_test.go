package rows

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// readAll renders what a text holds: one line a record or fault.
func readAll(text string, format Format) (out []string, truncated bool, err error) {
	r, err := NewReader(strings.NewReader(text), format)
	if err != nil {
		return nil, false, err
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, r.Truncated(), nil
		}
		if f, ok := errors.AsType[*Fault](err); ok {
			out = append(out, "! "+f.Error())
			continue
		}
		if err != nil {
			return out, false, err
		}
		line := fmt.Sprint(row.Line)
		for _, c := range row.Cells {
			line += fmt.Sprintf(" %s@%d:%d=%v", c.Name, c.Line, c.Column, c.Value)
		}
		out = append(out, line)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		format    Format
		text      string
		want      string
		truncated bool
	}{
		"commas":             {CSV, "a,b\n1,2\n", "2 a@2:1=1 b@2:3=2", false},
		"semicolons, CRLF":   {CSV, "a;b\r\n1,5; x \r\n", "2 a@2:1=1,5 b@2:6=x", false},
		"tabs":               {CSV, "a\tb\n1\t\n", "2 a@2:1=1 b@2:3=", false},
		"byte order mark":    {CSV, "\xef\xbb\xbfa\n1\n", "2 a@2:1=1", false},
		"quotes":             {CSV, "a,b\n\"x, \"\"y\"\"\n z\",2", "2 a@2:1=x, \"y\"\n z b@3:5=2", false},
		"SCIM path":          {CSV, "a;emails[type eq \"work, x\"].value\n1;2\n", "2 a@2:1=1 emails[type eq \"work, x\"].value@2:3=2", false},
		"quoted path":        {CSV, "\"emails[type eq \"\"work\"\"].value\"\n2\n", "2 emails[type eq \"work\"].value@2:1=2", false},
		"header alone":       {CSV, "a,b", "", false},
		"ragged":             {CSV, "a,b\n1\n1,2,3\n4,5\n", "! 2:1: the row has 1 cells, the header has 2|! 3:5: the row has 3 cells, the header has 2|4 a@4:1=4 b@4:3=5", false},
		"cut off":            {CSV, "a,b\n1,2\n3", "2 a@2:1=1 b@2:3=2|! 3:1: the row has 1 cells, the header has 2", true},
		"cut off in a quote": {CSV, "a,b\n1,2\n3,\"x", "2 a@2:1=1 b@2:3=2|! 3:5: a quoted cell does not end, or text follows its closing quote; a quote inside one is written \"\"", true},
		"NUL":                {CSV, "a\nx\x00\n", "! 2:2: holds a NUL character", false},
		"objects":            {JSON, "{\"a\":1,\"b\":{\"c\":true}}\n\n{\"a\":null}", "1 a@1:5=1 b@1:11=map[c:true]|3 a@3:5=<nil>", false},
		"no object":          {JSON, "[1]\n{\"a\":1} x\n{\"a\":1,\"A\":2}\n", "! 1:2: is not a JSON object; one object a line is wanted|! 2:9: something follows the object; one object a line is wanted|! 3:13: \"A\" is there twice", false},
		"cut off object":     {JSON, "{\"a\":1}\n{\"a\":", "1 a@1:5=1|! 2:6: a is not JSON: the line ends in the middle of the object", true},
		"escaped NUL":        {JSON, `{"a":["\u0000"]}`, "! 1:16: \"a\" holds a NUL character", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, truncated, err := readAll(tt.text, tt.format)
			if err != nil || strings.Join(got, "|") != tt.want || truncated != tt.truncated {
				t.Errorf("got  %s %v %v\nwant %s %v", strings.Join(got, "|"), truncated, err, tt.want, tt.truncated)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a,,c\n":                   "1:3: column 2 has no name",
		"a,A\n":                    `1:3: column "A" is there twice`,
		"\xfe\xff\x00a":            "UTF-16",
		"a\xfc\n":                  "1:2: byte 0xfc is not UTF-8",
		strings.Repeat("x,", 1001): "limit is 1000",
		"a\n" + strings.Repeat("x", MaxRecord+5000):           "longer than 1 MiB",
		"a,b\n1,\"" + strings.Repeat("x\n", MaxRecord/2+5000): "longer than 1 MiB",
	} {
		if _, _, err := readAll(text, CSV); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if _, _, err := readAll("", CSV); !errors.Is(err, io.EOF) {
		t.Errorf("nothing: %v", err)
	}
}

// FuzzRead: no text ends the process or yields what a database cannot hold.
func FuzzRead(f *testing.F) {
	f.Add("a,b\n1,2\n", true)
	f.Add("a;\"b\"\"\"\r\n1;\"x\ny\"", true)
	f.Add("\xef\xbb\xbf{\"a\":{\"b\":[1,null]}}\n{", false)
	f.Add("emails[type eq \"work\"].value\nx", true)
	f.Fuzz(func(t *testing.T, text string, csv bool) {
		format := JSON
		if csv {
			format = CSV
		}
		r, err := NewReader(strings.NewReader(text), format)
		if err != nil {
			return
		}
		for range 1000 {
			row, err := r.Next()
			if _, bad := errors.AsType[*Fault](err); bad {
				continue
			}
			if err != nil {
				break
			}
			if csv && len(row.Cells) != len(r.Columns()) {
				t.Fatalf("%d cells, %d columns", len(row.Cells), len(r.Columns()))
			}
			for _, c := range row.Cells {
				if s, ok := c.Value.(string); ok && (!utf8.ValidString(s) || strings.ContainsRune(s, 0)) || c.Line < 1 || c.Column < 1 {
					t.Fatalf("cell %+v", c)
				}
			}
		}
	})
}
