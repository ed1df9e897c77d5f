package replay_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/replay"
)

const whole = `# Why this is here.
title A conversation
dialects rfc lenient
needs op_case
header User-Agent: somebody/1.0

# Comments may stand anywhere but in a body.
== Create
repeat 3
POST /Users?a+b
Content-Type: application/json; charset=utf-8

{"userName": "u{{n}}",

 "x": 1}

# Before the answer, too.
-> 201 or 200
Location: {{base}}/Users/{{id}}
ETag: {{tag=}}

{"id": "{{id=}}", "emails": ["{{some}}", {"value": "{{any}}"}]}

== Delete
DELETE /Users/{{id}}?

-> 204
(empty)
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := replay.Parse("x.txt", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &replay.Conversation{Name: "x.txt", Title: "A conversation", Dialects: []string{"rfc", "lenient"}, Needs: []string{"op_case"},
		Header: []replay.Field{{Name: "User-Agent", Value: "somebody/1.0"}},
		Steps: []replay.Step{
			{Line: 8, Title: "Create", Repeat: 3, Method: "POST", Target: "/Users?a+b",
				Header: []replay.Field{{Name: "Content-Type", Value: "application/json; charset=utf-8"}},
				Body:   "{\"userName\": \"u{{n}}\",\n\n \"x\": 1}",
				Want: replay.Answer{Line: 18, Status: []int{201, 200},
					Header: []replay.Field{{Name: "Location", Value: "{{base}}/Users/{{id}}"}, {Name: "ETag", Value: "{{tag=}}"}},
					Body:   map[string]any{"id": "{{id=}}", "emails": []any{"{{some}}", map[string]any{"value": "{{any}}"}}}}},
			{Line: 24, Title: "Delete", Repeat: 1, Method: "DELETE", Target: "/Users/{{id}}?",
				Want: replay.Answer{Line: 27, Status: []int{204}, Empty: true}},
		}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	const head = "title T\ndialects rfc\n"
	for name, c := range map[string]struct {
		text string
		line int
		says string
	}{
		"nothing":                     {"", 1, "title and dialects"},
		"no title":                    {"dialects rfc\n== s\n", 2, "title and dialects"},
		"no step":                     {head, 3, "no step"},
		"two titles":                  {"title a\ntitle b\n", 2, "each once"},
		"an unknown word":             {"title a\nverdict x\n", 2, "expected title"},
		"a word without value":        {"title a\ndialects\n", 2, "needs a value"},
		"an unknown dialect":          {"title a\ndialects klingon\n== s\n", 3, "klingon"},
		"a dialect twice":             {"title a\ndialects rfc rfc\n== s\n", 3, "twice"},
		"a tolerance nobody knows":    {head + "needs patience\n== s\n", 4, "patience"},
		"a demand is no tolerance":    {head + "needs one_target\n== s\n", 4, "one_target"},
		"a tolerance twice":           {head + "needs op_case op_case\n== s\n", 4, "twice"},
		"a header that is none":       {head + "header no colon\n", 3, "header field"},
		"a header's name":             {head + "header a b: c\n", 3, "header field"},
		"a header names too much":     {head + "header A: {{id}}\n", 3, "{{id}}"},
		"no UTF-8":                    {head + "\n\xff", 4, "UTF-8"},
		"a step without title":        {head + "== \n", 3, "== title"},
		"text between steps":          {head + "== s\nGET /\n\n-> 200\n(empty)\n\n== s\nGET /\n\ntext\n== s", 13, "->"},
		"repeat without number":       {head + "== s\nrepeat often\nGET /\n", 4, "repeat needs"},
		"repeat too much":             {head + "== s\nrepeat 10001\nGET /\n", 4, "repeat needs"},
		"no request":                  {head + "== s\n-> 200\n", 4, "expected a request"},
		"a method in small letters":   {head + "== s\nget /Users\n", 4, "expected a request"},
		"a target without slash":      {head + "== s\nGET Users\n", 4, "expected a request"},
		"a target with spaces":        {head + "== s\nGET /Users?filter=a b\n", 4, "spaces"},
		"no answer":                   {head + "== s\nGET /Users\n", 5, "answer that is due"},
		"a status that is none":       {head + "== s\nGET /Users\n\n-> fine\n", 6, "no status"},
		"a status out of range":       {head + "== s\nGET /Users\n\n-> 200 or 99\n", 6, "no status"},
		"a due body that is no JSON":  {head + "== s\nGET /Users\n\n-> 200\n\n{\"a\":}\n", 8, "body that is due"},
		"a due body twice the key":    {head + "== s\nGET /Users\n\n-> 200\n\n{\"a\":1,\"a\":2}\n", 8, "body that is due"},
		"a due body of null":          {head + "== s\nGET /Users\n\n-> 200\n\nnull\n", 8, "cannot be null"},
		"a name not captured":         {head + "== s\nGET /Users/{{id}}\n\n-> 200\n", 4, "{{id}}"},
		"a name in a body":            {head + "== s\nPOST /Users\n\n{\"a\":\"{{id}}\"}\n\n-> 200\n", 6, "{{id}}"},
		"a name in a due body":        {head + "== s\nGET /Users\n\n-> 200\n\n{\"a\":\"x{{id}}\"}\n", 8, "{{id}}"},
		"a name as a key":             {head + "== s\nGET /Users\n\n-> 200\n\n{\"{{id}}\":1}\n", 8, "{{id}}"},
		"a name in a due header":      {head + "== s\nGET /Users\n\n-> 200\nETag: {{id}}\n", 7, "{{id}}"},
		"not a name":                  {head + "== s\nGET /Users\n\n-> 200\n\n{\"a\":\"{{not id}}\"}\n", 8, "{{id}}"},
		"n without repeat":            {head + "== s\nGET /Users/{{n}}\n\n-> 200\n", 4, "{{n}}"},
		"n after repeat":              {head + "== s\nrepeat 2\nGET /\n\n-> 200\n\n== s\nGET /{{n}}\n", 10, "{{n}}"},
		"a capture to n":              {head + "== s\nGET /Users\n\n-> 200\n\n{\"a\":\"{{n=}}\"}\n", 8, "no name"},
		"a capture to capitals":       {head + "== s\nGET /Users\n\n-> 200\n\n{\"a\":\"{{Id=}}\"}\n", 8, "no name"},
		"only that is not true":       {head + "== s\nGET /Users\n\n-> 200\n\n{\"{{only}}\":1}\n", 8, "must be true"},
		"some that is not first":      {head + "== s\nGET /Users\n\n-> 200\n\n[1,\"{{some}}\"]\n", 8, "{{some}}"},
		"a control character":         {head + "header A: a\x01b\n", 3, "control"},
		"a header of a step":          {head + "== s\nGET /Users\nno header\n\n-> 200\n", 5, "header field"},
		"a header of an answer":       {head + "== s\nGET /Users\n\n-> 200\nno header\n\n", 7, "header field"},
		"a recording beyond all size": {strings.Repeat("#", 5<<20), 1, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := replay.Parse("x.txt", []byte(c.text))
			fault, ok := errors.AsType[*replay.SyntaxError](err)
			if !ok || fault.Line != c.line || !strings.Contains(fault.Text, c.says) || !strings.HasPrefix(err.Error(), fmt.Sprintf("x.txt:%d: ", c.line)) {
				t.Errorf("got %v, want line %d and %q", err, c.line, c.says)
			}
		})
	}
}

// TestRecordingsAreClean reads every recording that is kept, and wants the words
// that a reader looks for first.
func TestRecordingsAreClean(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/*/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	titles := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := replay.Parse(f, text)
		if err != nil {
			t.Error(err)
			continue
		}
		if other := titles[c.Title]; other != "" {
			t.Errorf("%s and %s have one title", f, other)
		}
		titles[c.Title] = f
		if last := c.Steps[len(c.Steps)-1]; last.Method == "DELETE" && last.Want.Status[0] == 204 {
			t.Errorf("%s ends without a look at what is left", f)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("title T\ndialects rfc\n== s\nGET /Users/{{id}}\n\n-> 200\n\n[[[[\n")
	f.Add("title {{\ndialects rfc\nheader A: {{a}}{{\n== s\nrepeat 1\nPUT /{{base}}\n-> 200\nA: {{b=}}\n{}\n== s\nGET {{b}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := replay.Parse("x", []byte(text))
		if err != nil {
			fault, ok := errors.AsType[*replay.SyntaxError](err)
			if !ok || fault.Line < 1 || fault.Line > strings.Count(text, "\n")+1 || fault.Text == "" {
				t.Fatalf("%v of %q", err, text)
			}
			return
		}
		if len(c.Steps) == 0 || c.Title == "" || len(c.Dialects) == 0 {
			t.Fatalf("%+v of %q", c, text)
		}
		for _, s := range c.Steps {
			if s.Title == "" || s.Method == "" || s.Repeat < 1 || len(s.Want.Status) == 0 || strings.ContainsAny(s.Target, " \r\n") && !strings.Contains(s.Target, "{{not ") {
				t.Fatalf("%+v of %q", s, text)
			}
		}
	})
}
