package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model"
)

// readJSON decodes a request body strictly: unknown fields, fields that are given
// twice and texts that databases do not hold are refused. An empty body is io.EOF.
func readJSON(r *http.Request, into any) error {
	body, err := readAll(r)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return model.Fail(model.Invalid, "the body is not the JSON object expected: "+err.Error(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return model.Fail(model.Invalid, "the body holds more than one JSON value", nil)
	}
	return checkObject(json.NewDecoder(bytes.NewReader(body)))
}

// checkObject refuses what the decoder lets pass: of two fields of one name the last
// would count, for one reader, and the first for another. Names are compared without
// regard to case, as the decoder does.
func checkObject(d *json.Decoder) error {
	d.UseNumber()
	type level struct {
		seen map[string]bool // nil: a list
		name bool            // a name comes next
	}
	var open []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return model.Fail(model.Invalid, "the body is not JSON: "+err.Error(), err)
		}
		text, isText := token.(string)
		if isText && strings.ContainsRune(text, 0) {
			return model.Fail(model.Invalid, `the body holds the character \u0000, which is none of a text`, nil)
		}
		if top := len(open) - 1; top >= 0 && open[top].seen != nil {
			if open[top].name && isText {
				name := strings.ToLower(text)
				if open[top].seen[name] {
					return model.Fail(model.Invalid, fmt.Sprintf("the field %q is given twice", text), nil)
				}
				open[top].seen[name] = true
			}
			open[top].name = !open[top].name
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{map[string]bool{}, true})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
			if top := len(open) - 1; top >= 0 && open[top].seen != nil {
				open[top].name = true // the value that ends was one of a field
			}
		}
	}
}

// decodeCursor reads a cursor as listings give it. One that no listing gave may hold
// whatever bytes; databases take only text.
func decodeCursor(cursor string) (string, error) {
	out, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || !utf8.Valid(out) || bytes.ContainsRune(out, 0) {
		return "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
	}
	return string(out), nil
}
