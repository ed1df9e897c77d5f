package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func needOf(list []admin.Need, kind, subject string) (admin.Need, bool) {
	i := slices.IndexFunc(list, func(n admin.Need) bool { return n.Kind == kind && n.Subject == subject })
	if i < 0 {
		return admin.Need{}, false
	}
	return list[i], true
}

// TestOverview: what needs somebody is named, the most urgent first, and nothing else is.
func TestOverview(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := newPast(t, dialect, 5)
			p.evaluateAll()
			p.finish()
			look := func() (v admin.Overview) {
				p.must(json.Unmarshal(p.read("/overview"), &v))
				return v
			}
			for _, n := range look().Needs {
				if n.Kind != admin.NeedFinding {
					t.Errorf("nothing needs anybody but %+v", n)
				}
			}
			now := p.clock.Now()
			p.must(p.db.UpdateTargetState(t.Context(), "git", func(st *store.TargetState) { st.QuarantinedAt, st.Reason = &now, "refused" }))
			rows, err := p.db.Accounts(t.Context(), "chat", "", 10)
			p.must(err)
			held, failed := rows[0], rows[1]
			held.State, held.LastError = model.StateHeld, "too many"
			failed.State, failed.ErrorClass, failed.LastError, failed.Due, failed.NextAttempt = model.StateFailed, "unavailable", "503", true, now
			p.must(p.db.Settle(t.Context(), "chat", []store.Settlement{{Row: held}, {Row: failed, Failed: &model.Change{Verb: model.Update, Identity: failed.Identity}}}))
			p.clock.Add(time.Minute)
			v := look()
			for kind, subject := range map[string]string{admin.NeedQuarantined: "git", admin.NeedPlanHeld: "chat", admin.NeedAccountsFailed: "chat"} {
				if n, ok := needOf(v.Needs, kind, subject); !ok || n.Count != 1 || n.Oldest == nil || n.Text == "" || n.Link == "" {
					t.Errorf("%s of %s: %+v in %+v", kind, subject, n, v.Needs)
				}
			}
			if v.Needs[0].Severity != admin.SeverityCritical {
				t.Errorf("the first is %+v", v.Needs[0])
			}
			chat := v.Targets[slices.IndexFunc(v.Targets, func(c admin.TargetCard) bool { return c.Name == "chat" })]
			if chat.Held != 1 || chat.Errors["unavailable"] != 1 || chat.Lag != "1m0s" || chat.Pending != 1 {
				t.Errorf("chat: %+v", chat)
			}
			if n := len(chat.Hours); n == 0 || chat.Hours[n-1].Failed != 1 {
				t.Errorf("hours: %+v", chat.Hours)
			}
		})
	}
}

// TestWhatIf: other facts, other access, and nothing is written.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	p := newPast(t, storetest.SQLite, 5)
	p.replace("p0", map[string]any{"userName": "p0", "active": true, "title": "Sales"})
	p.evaluateAll()
	p.finish()
	before := p.db.Int(t, `SELECT count(*) FROM audit`) + p.db.Int(t, `SELECT count(*) FROM marks`)
	ask := func(body string) (v admin.WhatIfAnswer, status int) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.server.URL+"/api/v1/identities/p0/what-if", strings.NewReader(body))
		p.must(err)
		req.Header.Set("Authorization", "Bearer auditor-secret")
		res, err := p.server.Client().Do(req)
		p.must(err)
		defer res.Body.Close()
		if res.StatusCode == http.StatusOK {
			p.must(json.NewDecoder(res.Body).Decode(&v))
		}
		return v, res.StatusCode
	}
	same, _ := ask(`{}`)
	if len(same.Gained)+len(same.Lost)+len(same.Targets)+len(same.Findings) > 0 || same.Before != same.After {
		t.Errorf("nothing else, and yet: %+v", same)
	}
	left, _ := ask(`{"facts":{"active":false}}`)
	if left.After != model.Leaver || len(left.Lost) == 0 || !slices.ContainsFunc(left.Targets, func(w admin.WhatIfTarget) bool { return w.Target == "chat" && w.Account == "removed" }) {
		t.Errorf("who leaves: %+v", left)
	}
	moved, _ := ask(`{"facts":{"title":"Engineering","userType":null,"groups":["app-new"]}}`)
	text := fmt.Sprintf("%+v", moved)
	if !strings.Contains(text, "special") || !strings.Contains(text, "app-new") {
		t.Errorf("who moves: %s", text)
	}
	for _, body := range []string{`{"facts":{"nosuch":1}}`, `{"facts":{"active":"maybe"}}`, `{"facts":{"groups":"x"}}`, `{"at":"yesterday"}`, `{"else":1}`} {
		if v, status := ask(body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %+v", body, status, v)
		}
	}
	if after := p.db.Int(t, `SELECT count(*) FROM audit`) + p.db.Int(t, `SELECT count(*) FROM marks`); after != before {
		t.Errorf("something was written: %d, was %d", after, before)
	}
}

// TestSearchAndView: people, targets, roles and groups are found; a person's page says
// what explain says.
func TestSearchAndView(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := newPast(t, dialect, 9)
			for range 8 {
				p.clock.Add(20 * time.Hour)
				p.happen()
				p.settle()
			}
			var found admin.SearchAnswer
			p.must(json.Unmarshal(p.read("/search?q=P3"), &found))
			if len(found.Items) != 1 || found.Items[0].UserName != "p3" {
				t.Errorf("p3: %+v", found)
			}
			p.must(json.Unmarshal(p.read("/search?q=chat"), &found))
			if len(found.Targets) != 1 {
				t.Errorf("chat: %+v", found)
			}
			p.must(json.Unmarshal(p.read("/search?q=empl"), &found))
			if len(found.Roles) != 1 {
				t.Errorf("employee: %+v", found)
			}
			for i := range 6 {
				var v admin.PersonView
				p.must(json.Unmarshal(p.read(fmt.Sprintf("/identities/p%d/view", i)), &v))
				var one admin.IdentityView
				p.must(json.Unmarshal(p.read(fmt.Sprintf("/identities/p%d", i)), &one))
				var roles []string
				for _, r := range v.Roles {
					if roles = append(roles, r.Role); len(r.Because) == 0 {
						t.Errorf("p%d holds %s for no reason", i, r.Role)
					}
				}
				if !slices.Equal(roles, one.Roles) || len(v.Accounts) != len(one.Accounts) || v.Stage != one.Stage || len(v.Timeline) == 0 || len(v.Resources) != len(one.Links) {
					t.Errorf("p%d: %+v and %+v", i, v, one)
				}
				for _, f := range v.Facts {
					if f.Source != "hr" || !slices.Equal(f.Authority, []string{"hr"}) {
						t.Errorf("fact without source: %+v", f)
					}
				}
			}
		})
	}
}
