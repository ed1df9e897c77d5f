package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestSetFindings: only what differs is written, and every finding is told from others.
func TestSetFindings(t *testing.T) {
	t.Parallel()
	clock := storetest.NewClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	long := strings.Repeat("ä", 5000)
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		set := func(write func(tx *store.Tx) error) {
			t.Helper()
			if err := db.Store.Update(t.Context(), write); err != nil {
				t.Fatal(err)
			}
		}
		listed := func(f store.FindingFilter) (out []string) {
			t.Helper()
			f.Limit = 1
			for {
				page, _, next, err := db.Store.Findings(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range page {
					out = append(out, fmt.Sprintf("%s/%s/%.3s/%s/%s", x.Source, x.Kind, x.Subject, x.Identity, x.Message))
				}
				if f.After = next; next == "" {
					return out
				}
			}
		}
		same := func(got []string, want ...string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
		}
		found := []model.Finding{{Kind: "missing", Subject: "title", Source: "hr", Message: "m1"}, {Kind: "conflict", Subject: long + "a", Message: "c1"},
			{Kind: "conflict", Subject: long + "b", Message: "c2"}, {Kind: "missing", Subject: "title", Source: "idp", Message: "said twice"}}
		set(func(tx *store.Tx) error { return tx.SetFindings("i1", found) })
		set(func(tx *store.Tx) error { return tx.SetFindings("i2", found[:1]) })
		for _, source := range []string{"hr", "idp"} {
			set(func(tx *store.Tx) error {
				return tx.SetSourceFindings(source, []model.Finding{{Kind: "source", Subject: "silent", Message: source}})
			})
		}
		same(listed(store.FindingFilter{Kind: "missing"}), "hr/missing/tit/i1/m1", "hr/missing/tit/i2/m1")
		same(listed(store.FindingFilter{Source: "hr"}), "hr/missing/tit/i1/m1", "hr/missing/tit/i2/m1", "hr/source/sil//hr")
		same(listed(store.FindingFilter{Kind: "conflict", Subject: long + "b"}), "/conflict/äää/i1/c2")
		if n := len(listed(store.FindingFilter{})); n != 6 {
			t.Errorf("%d findings", n)
		}
		found[0].Source, found[0].Message = "idp", "m2"
		set(func(tx *store.Tx) error { return tx.SetFindings("i1", found[:2]) })
		set(func(tx *store.Tx) error { return tx.SetSourceFindings("hr", nil) })
		same(listed(store.FindingFilter{Identity: "i1"}), "/conflict/äää/i1/c1", "idp/missing/tit/i1/m2")
		same(listed(store.FindingFilter{Kind: "source"}), "idp/source/sil//idp")
		counts, err := db.Store.CountFindings(t.Context())
		if want := "[{ conflict 1} {hr missing 1} {idp missing 1} {idp source 1}]"; err != nil || fmt.Sprint(counts) != want {
			t.Errorf("counts %v, %v; want %s", counts, err, want)
		}
		for _, after := range []string{"x", "[]", `["a","b","c"]`, `["a","b","c","\u0000"]`} {
			if _, _, _, err := db.Store.Findings(t.Context(), store.FindingFilter{After: after, Limit: 1}); model.CodeOf(err) != model.Invalid {
				t.Errorf("cursor %s: %v", after, err)
			}
		}
	}, store.Options{Now: clock.Now})
}

// TestNumberKey: numbers are compared without regard to case.
func TestNumberKey(t *testing.T) {
	t.Parallel()
	if store.NumberKey(" E7 ") != store.NumberKey("e7") || store.NumberKey("7") == store.NumberKey("07") || store.NumberKey(" ") != "" {
		t.Error("numbers are not compared as people do")
	}
}
