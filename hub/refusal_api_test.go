package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

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
			r.AddAPI(stranger)
		}
		auditor := hub.APIRefusal{Actor: "audrey", Remote: "192.0.2.1", Method: "POST", Route: "/identities/{person}/erase", Person: "ADA", Status: 403, Reason: "the role auditor may not do this"}
		r.AddAPI(auditor)
		auditor.Person, auditor.Reason = "nobody", strings.Repeat("ä", 400)
		r.AddAPI(auditor)
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
