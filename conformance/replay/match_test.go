package replay_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/replay"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	known := func() map[string]string { return map[string]string{"id": "u-1", "n": "3"} }
	for name, c := range map[string]struct {
		pattern, body string
		faults        []string          // a part of each
		captured      map[string]string // beside what is known
	}{
		"more than is due":       {`{"a":1}`, `{"a":1,"b":2}`, nil, nil},
		"a number":               {`{"a":1}`, `{"a":2}`, []string{"a: 2, due is 1"}, nil},
		"a number as a text":     {`{"a":1}`, `{"a":"1"}`, []string{`a: "1", due is 1`}, nil},
		"a text as a number":     {`{"a":"1"}`, `{"a":1}`, []string{`a: 1, due is "1"`}, nil},
		"a boolean as a text":    {`{"a":false}`, `{"a":"False"}`, []string{`due is false`}, nil},
		"missing":                {`{"a":{"b":1}}`, `{}`, []string{"a: missing"}, nil},
		"missing text":           {`{"a":"x"}`, `{}`, []string{`a: missing, due is "x"`}, nil},
		"null":                   {`{"a":null}`, `{"a":null}`, nil, nil},
		"null for a text":        {`{"a":"x"}`, `{"a":null}`, []string{"a: null"}, nil},
		"no object":              {`{"a":{"b":1}}`, `{"a":[1]}`, []string{"a: [1], due is an object"}, nil},
		"no list":                {`{"a":[1]}`, `{"a":{"b":1}}`, []string{"due is a list"}, nil},
		"deep":                   {`{"a":{"b":{"c":1}}}`, `{"a":{"b":{"c":2}}}`, []string{"a.b.c: 2"}, nil},
		"absent and missing":     {`{"a":"{{absent}}"}`, `{}`, nil, nil},
		"absent and null":        {`{"a":"{{absent}}"}`, `{"a":null}`, nil, nil},
		"absent and empty":       {`{"a":"{{absent}}"}`, `{"a":[]}`, nil, nil},
		"absent and there":       {`{"a":"{{absent}}"}`, `{"a":""}`, []string{"due is nothing"}, nil},
		"absent and a list":      {`{"a":"{{absent}}"}`, `{"a":[1]}`, []string{"due is nothing"}, nil},
		"any":                    {`{"a":"{{any}}"}`, `{"a":{}}`, nil, nil},
		"any and missing":        {`{"a":"{{any}}"}`, `{}`, []string{"a: missing"}, nil},
		"any and empty":          {`{"a":"{{any}}"}`, `{"a":""}`, []string{"due is something"}, nil},
		"known":                  {`{"a":"/Users/{{id}}"}`, `{"a":"/Users/u-1"}`, nil, nil},
		"known, otherwise":       {`{"a":"/Users/{{id}}"}`, `{"a":"/Users/u-2"}`, []string{`due is "/Users/u-1"`}, nil},
		"known as a number":      {`{"a":"{{n}}"}`, `{"a":3}`, nil, nil},
		"known as a key":         {`{"{{id}}":1}`, `{"u-1":1}`, nil, nil},
		"not as before":          {`{"a":"{{not id}}"}`, `{"a":"u-2"}`, nil, nil},
		"as before":              {`{"a":"{{not id}}"}`, `{"a":"u-1"}`, []string{"as it was before"}, nil},
		"not as before, missing": {`{"a":"{{not id}}"}`, `{}`, []string{"missing"}, nil},
		"captured":               {`{"a":"{{x=}}","b":"{{x}}"}`, `{"a":"1","b":"1"}`, nil, map[string]string{"x": "1"}},
		"captured number":        {`{"a":"{{x=}}"}`, `{"a":12}`, nil, map[string]string{"x": "12"}},
		"captured nothing":       {`{"a":"{{x=}}"}`, `{"a":{}}`, []string{"cannot be captured"}, nil},
		"only":                   {`{"{{only}}":true,"a":1}`, `{"a":1,"b":2,"c":3}`, []string{"b: 2, due is nothing", "c: 3, due is nothing"}, nil},
		"a list in any order":    {`[1,2,3]`, `[3,1,2]`, nil, nil},
		"a list with too many":   {`[1,2]`, `[1,2,3]`, []string{"3 elements, due are 2"}, nil},
		"a list with doubles":    {`[1,1,2]`, `[1,2,2]`, []string{"nothing fits 1"}, nil},
		"an empty list":          {`{"a":[]}`, `{"a":[1]}`, []string{"1 elements, due are 0"}, nil},
		"some":                   {`["{{some}}",2]`, `[1,2,3]`, nil, nil},
		"some, not there":        {`["{{some}}",4]`, `[1,2,3]`, []string{"nothing fits 4"}, nil},
		"some, too few":          {`["{{some}}",1,2,3]`, `[1,2]`, []string{"nothing fits 3"}, nil},
		"ordered":                {`["{{ordered}}",1,2]`, `[1,2]`, nil, nil},
		"ordered, otherwise":     {`["{{ordered}}",1,2]`, `[2,1]`, []string{"nothing fits 1", "nothing fits 2"}, nil},
		"captured in a list":     {`[{"k":"a","v":"{{x=}}"}]`, `[{"k":"a","v":"1"}]`, nil, map[string]string{"x": "1"}},
		"captured from the fit":  {`["{{some}}",{"k":"b","v":"{{x=}}"}]`, `[{"k":"a","v":"1"},{"k":"b","v":"2"}]`, nil, map[string]string{"x": "2"}},
		"no JSON":                {`{"a":1}`, `<html>`, []string{"not valid JSON"}, nil},
		"keys twice":             {`{"a":1}`, `{"a":1,"a":1}`, []string{"appears twice"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := known()
			faults, err := replay.Match(c.pattern, []byte(c.body), values)
			if err != nil {
				t.Fatal(err)
			}
			if len(faults) < len(c.faults) || len(faults) > 0 && len(c.faults) == 0 {
				t.Fatalf("faults %q, want %q", faults, c.faults)
			}
			for i, part := range c.faults {
				if !strings.Contains(strings.Join(faults, "\n"), part) {
					t.Errorf("fault %d %q, want %q", i, faults, part)
				}
			}
			want := known()
			maps.Copy(want, c.captured)
			if diff := cmp.Diff(want, values); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := replay.Match(`{"a":`, []byte(`{}`), nil); err == nil {
		t.Error("a pattern that cannot be read is no error")
	}
}
