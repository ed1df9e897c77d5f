package admin

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model"
)

func TestReadJSON(t *testing.T) {
	t.Parallel()
	type inner struct {
		A string `json:"a"`
	}
	type body struct {
		Name string           `json:"name"`
		One  inner            `json:"one"`
		List []inner          `json:"list"`
		Map  map[string][]int `json:"map"`
	}
	for _, tt := range []struct{ text, fault string }{
		{`{"name": "x", "one": {"a": "1"}, "list": [{"a": "1"}, {"a": "2"}], "map": {"name": [1, 2], "a": []}}`, ""},
		{`{"name": "\\u0000"}`, ""}, // a backslash and letters
		{`{"list": [], "one": {}, "name": "list"}`, ""},
		{`{"name": "x", "name": "y"}`, "given twice"},
		{`{"name": "x", "Name": "y"}`, "given twice"},
		{`{"one": {"a": "1", "a": "2"}}`, "given twice"},
		{`{"list": [{"a": "1"}, {"a": "1", "A": "2"}]}`, "given twice"},
		{`{"map": {"x": [], "x": []}}`, "given twice"},
		{`{"one": {}, "list": [], "one": {}}`, "given twice"},
		{`{"name": "a\u0000b"}`, `\u0000`},
		{`{"map": {"\u0000": []}}`, `\u0000`},
		{`{"name": "x"} {}`, "more than one"},
		{`{"other": 1}`, "unknown field"},
		{`{"name": `, "unexpected EOF"},
	} {
		var into body
		err := readJSON(httptest.NewRequest("POST", "/", strings.NewReader(tt.text)), &into)
		if tt.fault == "" && err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if tt.fault != "" && (model.CodeOf(err) != model.Invalid || !strings.Contains(err.Error(), tt.fault)) {
			t.Errorf("%s: %v, want %s", tt.text, err, tt.fault)
		}
	}
	if err := readJSON(httptest.NewRequest("POST", "/", strings.NewReader("")), &body{}); !errors.Is(err, io.EOF) {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestCursorsOfNoListing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\x00", "a\x00", "\xff\xfe"} {
		if _, err := decodeCursor(base64.RawURLEncoding.EncodeToString([]byte(text))); model.CodeOf(err) != model.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := decodeCursor("="); model.CodeOf(err) != model.Invalid {
		t.Error(err)
	}
	if got, err := decodeCursor(base64.RawURLEncoding.EncodeToString([]byte(`["zoë"]`))); got != `["zoë"]` || err != nil {
		t.Error(got, err)
	}
}
