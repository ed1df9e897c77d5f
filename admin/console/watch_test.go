package console_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const watched = `
database: sqlite:x.db
admin: {tokens: [{name: ops, secret: hunter2hunter2, role: admin}]}
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}], owner: hr-team@example.com}}
identity: {drill: [eve], required: [title]}
roles:
  employee: {when: user.active, grants: [{target: chat}, {target: git, group: "<b>staff</b>"}]}
  lead: {request: {by: self, approve: ["user:eve"], reason: required, expires: 30d}, grants: [{target: chat, group: leads}]}
targets:
  chat: {url: "http://127.0.0.1:1", auth: {bearer: swordfish-swordfish}, leaver: {goal: 1m}}
  git: {url: "http://127.0.0.1:2", auth: {bearer: swordfish-swordfish}}
`

// how says what became of an account that was due.
type how func(row *model.AccountRow) store.LeaverProgress

// settle ends what is due at all targets.
func (s *site) settle(end how) {
	s.t.Helper()
	for _, target := range []string{"chat", "git"} {
		rows, err := s.db.Accounts(s.t.Context(), target, "", 500)
		if err != nil {
			s.t.Fatal(err)
		}
		var list []store.Settlement
		for _, row := range rows {
			if !row.Due {
				continue
			}
			row.Due, row.RemoteID, row.Owned = false, "there-"+row.Identity, model.OwnedCreated
			progress := end(&row)
			list = append(list, store.Settlement{Row: row, Leaver: &progress})
		}
		if err := s.db.Settle(s.t.Context(), target, list); err != nil {
			s.t.Fatal(err)
		}
	}
}

// synced is that an account is as it should be.
func synced(row *model.AccountRow) store.LeaverProgress {
	row.State, row.Applied = model.StateInSync, row.Desired
	return store.LeaverProgress{}
}

// gone has people leave, as the source says it.
func (s *site) gone(names ...string) {
	s.t.Helper()
	user, _ := scim.DefaultRegistry().Type("User")
	for _, name := range names {
		var id string
		err := s.db.View(s.t.Context(), func(tx *store.Tx) error {
			row, err := tx.FindIdentity(name)
			if err != nil {
				return err
			}
			facts, err := tx.Facts([]string{row.ID})
			if err == nil {
				id = facts.Users[row.ID][0].ID
			}
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if err := s.hub.Delete(s.t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, id, func(scim.Meta) error { return nil }); err != nil {
			s.t.Fatal(err)
		}
	}
	s.evaluate()
}

// wants fails for each text that a page lacks.
func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q:\n%s", text, mainOf(page))
		}
	}
}

// lacks fails for each text that a page holds.
func lacks(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page holds %q: %s", text, around(page, text))
		}
	}
}

func mainOf(page string) string {
	_, rest, _ := strings.Cut(page, "<main")
	return rest[:min(len(rest), 6000)]
}

// TestLeaversPage: whoever is open stands at the top with what keeps it; hostile names
// and answers are text.
func TestLeaversPage(t *testing.T) {
	t.Parallel()
	eachSite(t, watched, []string{"bob", "eve", "<b>zoe</b>"}, func(t *testing.T, s *site) {
		wants(t, s.look("auditor", "/leavers", 200), "Nobody has left yet", "start a drill")
		s.settle(synced)
		s.gone("bob", "<b>zoe</b>")
		s.settle(func(row *model.AccountRow) store.LeaverProgress {
			now := s.db.Now()
			if row.Target == "git" {
				row.State, row.Due, row.NextAttempt = model.StateFailed, true, now.Add(time.Hour)
				row.LastError, row.ErrorClass = "throttled (429): <i>slow down</i>", "throttled"
				return store.LeaverProgress{State: model.LeaverFailed, Status: 429}
			}
			row.State, row.Applied = model.StateDisabled, &model.Account{UserName: row.Identity}
			return store.LeaverProgress{State: model.LeaverVerified, Verified: &now, Accepted: &now}
		})
		page := s.look("auditor", "/leavers", 200)
		wants(t, page, "Access still to be taken away", "1 of 2 verified disabled in ", "git pending: 429, next try in ", "&lt;b&gt;zoe", "&lt;i&gt;slow down", "verified</span> after ")
		lacks(t, page, "<b>zoe", "<i>slow", "Everybody who left is verified gone", "<script>")
		if strings.Index(page, "Access still to be taken away") > strings.Index(page, "From the fact received") {
			t.Error("who is open does not stand first")
		}
		only := s.look("auditor", "/leavers?open=true", 200)
		wants(t, only, "bob", `href="/leavers?open=true" aria-current="page"`)
		s.look("auditor", "/leavers?cursor=eA", 400)
		s.look("person:eve", "/leavers", 403)
		home := s.look("auditor", "/", 200)
		wants(t, home, "Leavers of the last days", "git pending: 429", "&lt;b&gt;zoe", "2 accounts: the application asks the hub to slow down")
		lacks(t, home, "<b>zoe")
	})
}

// TestDriftPage: all that sweeps found, page by page, with what follows.
func TestDriftPage(t *testing.T) {
	t.Parallel()
	eachSite(t, watched, []string{"bob"}, func(t *testing.T, s *site) {
		wants(t, s.look("auditor", "/drift", 200), "none yet")
		wants(t, s.look("auditor", "/drift?target=chat", 200), "Nothing differs at chat")
		began := time.Now().Add(-time.Minute).Truncate(time.Second)
		found := []store.Finding{
			{Kind: "changed", Identity: "i1", UserName: "<script>x", RemoteID: "1", Action: "revert", Fields: []model.FieldDiff{{Path: "active", Before: true, After: false}}},
			{Kind: "membership", Identity: "i2", UserName: "ben", RemoteID: "2", Group: "admins", Action: "revert", Fields: []model.FieldDiff{{Path: "groups", After: "admins"}}},
		}
		for i := range 110 {
			found = append(found, store.Finding{Kind: "unknown", UserName: fmt.Sprintf("s%03d", i), RemoteID: fmt.Sprint(1000 + i), Action: "report"})
		}
		if err := s.db.SaveLook(t.Context(), "chat", store.Look{Began: began, Found: found}); err != nil {
			t.Fatal(err)
		}
		if err := s.db.ConfirmSweep(t.Context(), "chat", store.SweepProgress{Began: began}); err != nil {
			t.Fatal(err)
		}
		if err := s.db.EndSweep(t.Context(), "chat", store.Sweep{At: began, Ended: began, Checked: 200, Known: 90, Total: 112, By: "list", Members: "not readable at this application"}); err != nil {
			t.Fatal(err)
		}
		page := s.look("auditor", "/drift?target=chat", 200)
		wants(t, page, "Account of nobody&#39;s: 110", "not readable at this application", "&lt;script&gt;x", "active: true → false", "sighting 1 of 2", "Next page", "200 of 90 known")
		lacks(t, page, "<script>x", "Sweep chat now")
		rows, next := strings.Count(page, "<tr><td tabindex"), page
		for range 5 {
			m := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(next)
			if m == nil {
				break
			}
			next = s.look("auditor", strings.ReplaceAll(m[1], "&amp;", "&"), 200)
			rows += strings.Count(next, "<tr><td tabindex")
		}
		if rows != 112 {
			t.Errorf("%d differences on all pages", rows)
		}
		wants(t, s.look("operator", "/drift?target=chat&kind=membership", 200), "Sweep chat now", "admins", "Is put back once it was seen 2 times in a row")
		s.look("auditor", "/drift?target=nowhere", 404)
		s.look("auditor", "/drift?target=chat&kind=moved", 400)
		s.look("person:bob", "/drift", 403)
		wants(t, s.look("auditor", "/targets/chat", 200), "112 differences")
	})
}

// TestFindingsPage: what is wrong with the facts, by who can put it right.
func TestFindingsPage(t *testing.T) {
	t.Parallel()
	names := []string{"<script>alert(1)</script>", "\u202eeve", strings.Repeat("long", 2500)}
	for n := range 110 {
		names = append(names, fmt.Sprintf("p%03d", n))
	}
	eachSite(t, watched, names, func(t *testing.T, s *site) {
		page := s.look("auditor", "/findings?source=hr", 200)
		wants(t, page, "hr-team@example.com", "title is missing at hr", `rel="next"`, "show all", "facts that are missing", ">113<")
		m := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page)
		second := s.look("auditor", strings.ReplaceAll(m[1], "&amp;", "&"), 200)
		wants(t, second, "More findings", "<tbody>")
		lacks(t, second, `rel="next"`)
		wants(t, page+second, "&lt;script&gt;alert(1)")
		lacks(t, page+second, "<script>alert")
		s.look("auditor", "/findings?kind="+url.QueryEscape("<script>"), 400)
		wants(t, s.look("auditor", "/findings?kind=date", 200), "None of these")
		s.look("person:p001", "/findings", 403)
	})
	eachSite(t, plainConfiguration, nil, func(t *testing.T, s *site) {
		wants(t, s.look("approver", "/findings", 200), "There are no findings")
	})
}
