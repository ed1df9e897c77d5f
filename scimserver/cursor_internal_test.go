package scimserver

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
)

func testSealer(now *time.Time) *sealer {
	return newSealer(bytes.Repeat([]byte{7}, CursorKeySize), time.Hour, func() time.Time { return *now })
}

func TestSealedPlaces(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s := testSealer(&now)
	bound := binding("hr", "/Users", scim.SearchRequest{Filter: "x"})
	in := begun(3, 20)
	in.Total, in.Positions[1] = 77, nil
	*in.Positions[2] = `{"t":"é\u0000","s":3}`
	text, err := s.seal(in, bound)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := s.seal(in, bound)
	if again == text {
		t.Error("two cursors are the same")
	}
	out, err := s.open(text, bound, 3)
	in.Expires = now.Add(time.Hour).Unix()
	if diff := cmp.Diff(in, out); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := s.open(text, bound, 2); err == nil {
		t.Error("opens for another number of types")
	}
	now = now.Add(time.Hour - time.Second)
	if _, err := s.open(text, bound, 3); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Second)
	_, err = s.open(text, bound, 3)
	if e, ok := scim.AsError(err); !ok || e.Type != scim.ExpiredCursor {
		t.Errorf("after its end: %v", err)
	}
}

// TestBinding: no two queries share a binding, also where their texts run together.
func TestBinding(t *testing.T) {
	t.Parallel()
	list := []scim.SearchRequest{
		{}, {Filter: "a"}, {SortBy: "a"}, {SortOrder: "a"}, {Filter: "ab"}, {Filter: "a", SortBy: "b"},
		{Attributes: []string{"a"}}, {ExcludedAttributes: []string{"a"}}, {Attributes: []string{"a", "b"}}, {Attributes: []string{"ab"}},
		{Attributes: []string{"a"}, ExcludedAttributes: []string{"b"}},
	}
	seen := map[string]int{}
	n := 0
	for _, source := range []string{"", "hr", "hr/"} {
		for _, level := range []string{"", "/Users"} {
			for _, r := range list {
				key := string(binding(source, level, r))
				if was, ok := seen[key]; ok {
					t.Errorf("%q %q %+v is bound like number %d", source, level, r, was)
				}
				seen[key] = n
				n++
			}
		}
	}
}

// FuzzOpen holds that nothing but what was sealed opens, and that nothing panics.
func FuzzOpen(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	s := testSealer(&now)
	bound := binding("hr", "/Users", scim.SearchRequest{})
	sealed := begun(1, 10)
	good, err := s.seal(sealed, bound)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, good[1:], good + "A", "", "AAAA", "====", "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := s.open(text, bound, 1)
		if err == nil { // the fuzzer has the seed, sealed anew in each of its processes
			sealed.Expires = now.Add(time.Hour).Unix()
			if diff := cmp.Diff(sealed, p); diff != "" {
				t.Fatalf("%q opens as something else:\n%s", text, diff)
			}
			return
		}
		if e, ok := scim.AsError(err); !ok || e.Status != 400 || e.Type != scim.InvalidCursor {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
