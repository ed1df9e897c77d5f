package scimserver

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]any{
		`null`:      nil,
		`{}`:        map[string]any{},
		`[]`:        []any{},
		`["a","b"]`: []string{"a", "b"},
		`{"a":[1,2.5,true,""],"b":{"c":null},"é\"":"<&>"}`: map[string]any{"b": map[string]any{"c": nil}, "a": []any{int64(1), 2.5, true, ""}, "é\"": "<&>"},
		`{"schemas":["x"],"totalResults":3,"startIndex":2,"itemsPerPage":1,"Resources":[{"id":"a"}]}`: listBody{
			Schemas: []string{"x"}, Total: 3, StartIndex: 2, ItemsPerPage: 1, Resources: []any{map[string]any{"id": "a"}}},
		`{"schemas":null,"status":"400","detail":"<x>"}`: errorBody{Status: "400", Detail: "<x>"},
	}
	for want, v := range tests {
		got, err := appendJSON(nil, v)
		if err != nil || string(got) != want {
			t.Errorf("%#v: %s, %v; want %s", v, got, err, want)
		}
	}
	for _, v := range []any{math.NaN(), map[string]any{"a": []any{math.Inf(1)}}, listBody{Resources: []any{make(chan int)}}} {
		if got, err := appendJSON(nil, v); err == nil {
			t.Errorf("%v: %s", v, got)
		}
	}
}

// FuzzAppendJSON holds that the encoder says the same as encoding/json.
func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e30,true,null,"x\u0000\u2028\ud83d\ude00"]}`, `"\u007f\\\""`, `[[],{}]`} {
		f.Add(s, "key\xff")
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			v = text
		}
		v = map[string]any{key: v, "list": []any{v, key}}
		want, err := json.Marshal(v)
		if err != nil {
			t.Skip()
		}
		got, err := appendJSON([]byte("["), v)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(append(got, ']'), &a); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if err := json.Unmarshal(append(append([]byte("["), want...), ']'), &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, a); diff != "" {
			t.Fatalf("(-json +ours):\n%s", diff)
		}
	})
}

// What a backend has encoded is passed on as one object with the rest.
func TestPassedOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ encoded, want string }{
		{`{"a":1,"schemas":["x"]}`, `{"a":1,"schemas":["x"],"id":"7","z":true}`},
		{`{}`, `{"id":"7","z":true}`},
	} {
		got, err := appendJSON(nil, passedOn{[]byte(c.encoded), map[string]any{"id": "7", "z": true}})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.encoded, got, err, c.want)
		}
	}
}
