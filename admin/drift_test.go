package admin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TestDriftShown: all that sweeps found is shown, page by page, with what follows, at
// the API.
func TestDriftShown(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		var targets listOf[admin.TargetView]
		_, text, _ := a.call("GET", "/targets", "auditor-secret", "")
		if targets = decode[listOf[admin.TargetView]](t, text); len(targets.Items) == 0 {
			t.Fatalf("no targets: %s", text)
		}
		name := targets.Items[0].Name
		began := time.Now().Add(-time.Minute).Truncate(time.Second)
		found := []store.Finding{
			{Kind: "changed", Identity: "i1", UserName: "<script>x", RemoteID: "1", Action: "revert", Fields: []model.FieldDiff{{Path: "active", Before: true, After: false}}},
			{Kind: "membership", Identity: "i2", UserName: "ben", RemoteID: "2", Group: "admins", Action: "revert", Fields: []model.FieldDiff{{Path: "groups", After: "admins"}}},
		}
		for i := range 110 {
			found = append(found, store.Finding{Kind: "unknown", UserName: fmt.Sprintf("s%03d", i), RemoteID: fmt.Sprint(1000 + i), Action: "report"})
		}
		st := a.hub.Store
		if err := st.SaveLook(t.Context(), name, store.Look{Began: began, Found: found}); err != nil {
			t.Fatal(err)
		}
		if err := st.ConfirmSweep(t.Context(), name, store.SweepProgress{Began: began}); err != nil {
			t.Fatal(err)
		}
		if err := st.EndSweep(t.Context(), name, store.Sweep{At: began, Ended: began, Checked: 200, Known: 90, Total: 112, By: "list", Members: "not readable at this application"}); err != nil {
			t.Fatal(err)
		}
		items, cursor, pages := 0, "", 0
		for {
			_, text, _ := a.call("GET", "/targets/"+name+"/drift?limit=50&cursor="+cursor, "auditor-secret", "")
			page := decode[admin.SweepAnswer](t, text)
			if page.Checked != 200 || page.Total != 112 || page.At == nil || len(page.Kinds) != 3 {
				t.Fatalf("page %d: %s", pages, text)
			}
			for _, f := range page.Items {
				if f.Kind == "membership" && (f.Needed != 2 || f.Sightings != 1 || !strings.Contains(f.Follows, "sighting 1 of 2")) {
					t.Errorf("a membership that somebody gave: %+v", f)
				}
			}
			items += len(page.Items)
			pages++
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		if items != 112 || pages != 3 {
			t.Errorf("%d differences in %d pages", items, pages)
		}
		if status, text, _ := a.call("GET", "/targets/"+name+"/drift?kind=moved", "auditor-secret", ""); status != 400 || !strings.Contains(text, "resurrected") {
			t.Errorf("a kind that there is not: %d %s", status, text)
		}
		if status, text, _ := a.call("GET", "/drift", "auditor-secret", ""); status != 200 || len(decode[listOf[admin.SweepAnswer]](t, text).Items) != len(targets.Items) {
			t.Errorf("overview: %d %s", status, text)
		}
	})
}
