package hub_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestRefusalsOfTheAPI: what the API refused is in the trail, counted where it is alike,
// and belongs to the person it was about.
func TestRefusalsOfTheAPI(t *testing.T) {
	t.Parallel()
	eachRefusals(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock, r *hub.Refusals) {
		err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddIdentity("i1", "ada") })
		if err != nil {
			t.Fatal(err)
		}
		stranger := hub.APIRefusal{Remote: "192.0.2.9", Method: "GET", Route: "/targets", Person: "ada", Status: 401, Reason: "the API token is not known"}
		for range 500 {
			r.AddAPI(t.Context(), stranger)
		}
		auditor := hub.APIRefusal{Actor: "audrey", Remote: "192.0.2.1", Method: "POST", Route: "/identities/{person}/erase", Person: "ADA", Status: 403, Reason: "the role auditor may not do this"}
		r.AddAPI(t.Context(), auditor)
		auditor.Person, auditor.Reason = "nobody", strings.Repeat("ä", 400)
		r.AddAPI(t.Context(), auditor)
		if err := r.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		entries, _, err := db.AuditPage(t.Context(), store.AuditFilter{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]store.AuditEntry{}
		for _, e := range entries {
			got[e.Actor+" "+e.Identity] = e
			if e.Action != "api.refused" || !json.Valid(e.Data) || len(e.Data) > 600 {
				t.Errorf("entry %+v", e)
			}
		}
		if len(entries) != 3 || !strings.Contains(string(got["unauthenticated "].Data), `"count":500`) ||
			!strings.Contains(string(got["audrey i1"].Data), "/identities/{person}/erase") || got["audrey "].Actor == "" {
			t.Errorf("entries %+v", entries)
		}
		if _, faults, err := db.VerifyAudit(t.Context()); err != nil || len(faults) > 0 {
			t.Errorf("audit: %v %v", faults, err)
		}
	})
}

// TestRefusalsNameNobody: what a refusal says of people goes with them when they are
// erased: also of those whom the address did not name, and where it is written later.
func TestRefusalsNameNobody(t *testing.T) {
	t.Parallel()
	eachRefusals(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock, r *hub.Refusals) {
		people := map[string]string{"i1": "ada@example.com", "i2": "Bob van Dam", "i3": "eve"}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			for id, name := range people {
				if err := tx.AddIdentity(id, name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for reason, kept := range map[string]string{
			`"Ada@example.com" still has access: (eve), Bob van Dam.`: `"i1" still has access: (i3), i2.`,
			"nobody whom evening or Bob van names":                    "nobody whom evening or Bob van names",
			"ada@example.com":                                         "i1",
			"":                                                        "",
		} {
			want[kept] = "i3"
			r.AddAPI(t.Context(), hub.APIRefusal{Actor: "ops", Method: "POST", Route: "/x", Person: "EVE", Status: 409, Reason: reason})
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel() // who asked does not wait for the answer: it is noted all the same
		r.AddAPI(gone, hub.APIRefusal{Actor: "ops", Method: "POST", Route: "/x", Person: "nobody", Status: 409, Reason: "eve it is"})
		want["i3 it is"] = ""
		if err := r.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		entries, _, err := db.AuditPage(t.Context(), store.AuditFilter{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range entries {
			var data struct{ Reason string }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				t.Fatal(err)
			}
			got[data.Reason] = e.Identity
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("reasons and whom they are about (-want +got):\n%s", d)
		}
	})
}
