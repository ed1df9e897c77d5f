package hub_test

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// TestAuthorityIsHandedOver: another source gets the word by configuration. Where both
// say the same only the origin changes; what only the old one had goes with it; who
// the new one does not know is not active by anybody's word.
func TestAuthorityIsHandedOver(t *testing.T) {
	t.Parallel()
	hr := strings.Replace(linkSources, `authority: {"*": [hr, okta, third]}`, `authority: {title: [hr], active: [hr], "*": [hr, okta, third]}`, 1)
	okta := strings.Replace(linkSources, `authority: {"*": [hr, okta, third]}`, `authority: {title: [okta], active: [okta], "*": [hr, okta, third]}`, 1)
	each(t, hr, func(w *world) {
		resource, agreed := w.pushed("hr", "agreed", "title", "Engineer")
		w.pushed("okta", "agreed", "title", "Engineer")
		_, differ := w.pushed("hr", "differ", "title", "Engineer")
		other, _ := w.pushed("okta", "differ", "title", "Lead")
		_, alone := w.pushed("hr", "alone", "title", "Engineer")
		_, stranger := w.pushed("okta", "stranger", "title", "Engineer")
		w.evaluate()
		if s := w.state(agreed); s.row.Origin["title"] != "hr" || s.row.Stage != model.Active {
			w.t.Errorf("before: %+v", s.row)
		}
		if s := w.state(stranger); len(s.roles) > 0 || s.row.Origin["active"] != "hr" || s.row.User["title"] != nil {
			w.t.Errorf("whom HR does not know: %+v %v", s.row, s.roles)
		}
		before := w.state(agreed).accounts
		snap, err := w.Apply(w.t.Context(), hub.Actor{Name: "ops"}, "hub.yaml", []byte(okta), 0)
		if err != nil {
			w.t.Fatal(err)
		}
		w.Activate(snap)
		w.evaluate()
		s := w.state(agreed)
		if s.row.Origin["title"] != "okta" || s.row.Origin["active"] != "okta" || s.row.User["title"] != "Engineer" || len(s.roles) != 1 {
			w.t.Errorf("handed over: %+v %v", s.row, s.roles)
		}
		for target, a := range before {
			if now := s.accounts[target]; now.Generation != a.Generation {
				w.t.Errorf("the account at %s was touched: %+v", target, now)
			}
		}
		if s := w.state(differ); s.row.User["title"] != "Lead" || len(s.roles) != 1 {
			w.t.Errorf("who is described differently: %+v", s.row)
		}
		if s := w.state(alone); s.row.Stage != model.Leaver || s.row.LeftSource != "okta" || s.row.User["title"] != nil {
			w.t.Errorf("whom the new source does not know: %+v", s.row)
		}
		if s := w.state(stranger); s.row.Stage != model.Active || len(s.roles) != 1 {
			w.t.Errorf("whom the new source knows: %+v", s.row)
		}
		// What the source with the word drops is absent: the list names no other.
		w.patchAs("okta", other, `[{"op":"remove","path":"title"}]`)
		w.patchAs("hr", resource, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluate()
		if s := w.state(differ); s.row.User["title"] != nil {
			w.t.Errorf("dropped: %v", s.row.User["title"])
		}
		if s := w.state(agreed); s.row.Stage != model.Active || len(s.roles) != 1 {
			w.t.Errorf("by a source that has no word on it any more: %+v", s.row)
		}
	})
}
