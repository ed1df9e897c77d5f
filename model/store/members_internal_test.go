package store

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestTextList: the quick way of reading a list of texts gives what encoding/json
// gives, with the spaces that databases put in and without.
func TestTextList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9, \[\]"-]*`))).Draw(t, "texts")
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var plain []string
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]byte{text, append([]byte(" "), text...)} {
			got, err := textList(form)
			if err != nil || !slices.Equal(got, plain) {
				t.Fatalf("%s: got %q, want %q, %v", form, got, plain, err)
			}
		}
	})
	if _, err := textList([]byte(`["a","b]`)); err == nil {
		t.Error("a cut list is no error")
	}
}
