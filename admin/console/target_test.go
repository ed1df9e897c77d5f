package console_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// groups evaluates the groups of targets.
func (s *site) groups() {
	s.t.Helper()
	for n := 1; n > 0; {
		var err error
		if n, err = s.hub.EvaluateGroups(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestTargetPages: what is wrong stands first, with what to do; buttons are there for
// those who may use them, and do what they say.
func TestTargetPages(t *testing.T) {
	t.Parallel()
	eachSite(t, watched, []string{"bob", "eve", "<b>zoe</b>"}, func(t *testing.T, s *site) {
		s.groups()
		page := s.look("operator", "/targets/chat", 200)
		wants(t, page, "Sync now", "Sweep now", "Pause", "Probe", "No sweep was made yet", `href="/targets/chat/accounts?state=pending"`)
		lacks(t, page, "Resume", "Rotate", "swordfish", "Release exactly")
		auditor := s.look("auditor", "/targets/chat", 200)
		lacks(t, auditor, "Sync now", "Pause", `method="post" action="/targets`)

		back := url.Values{"back": {"/targets/chat"}}
		wants(t, s.send("operator", "/targets/chat/pause", back, 303), "chat is paused", "Paused by an operator", "Resume")
		wants(t, s.look("auditor", "/targets", 200), "1 of 2 targets needs a look", "Paused by an operator")
		wants(t, s.send("operator", "/targets/chat/resume", back, 303), "Work at chat goes on", "Pause")
		wants(t, s.send("operator", "/targets/chat/sync", back, 303), "is due now")
		wants(t, s.send("operator", "/targets/chat/drift", back, 303), "A sweep of chat is asked for")
		wants(t, s.send("operator", "/targets/chat/rotate", back, 400), "no next credential", "<h1>chat")
		for _, what := range []string{"pause", "resume", "sync", "drift", "rotate", "release", "probe"} {
			s.send("auditor", "/targets/chat/"+what, back, 403)
			s.send("person:bob", "/targets/chat/"+what, url.Values{}, 403)
		}
		s.look("person:bob", "/targets/chat", 403)
		s.look("auditor", "/targets/nowhere", 404)
		s.look("auditor", "/targets/"+url.PathEscape("a/b%3Cscript%3E"), 404)
		wants(t, s.look("operator", "/targets/chat/probe", 200), "A probe asks the application", "Try writing, too")
		s.send("operator", "/targets/chat/probe", url.Values{"back": {"/targets/chat/probe"}}, 503) // this process talks to no target

		since := s.db.Now().Add(-time.Hour)
		err := s.db.UpdateTargetState(t.Context(), "chat", func(st *store.TargetState) {
			st.QuarantinedAt, st.Reason, st.Failures = &since, "it refuses the hub's <credentials>", 9
		})
		if err != nil {
			t.Fatal(err)
		}
		page = s.look("operator", "/targets/chat", 200)
		wants(t, page, "In quarantine", "&lt;credentials&gt;", "Resume", "act now")
		wants(t, s.look("operator", "/", 200), "In quarantine")
	})
}

// TestAccountsOfATarget: accounts by state and by error, page by page.
func TestAccountsOfATarget(t *testing.T) {
	t.Parallel()
	names := []string{"<b>zoe</b>"}
	for n := range 60 {
		names = append(names, fmt.Sprintf("p%02d", n))
	}
	eachSite(t, watched, names, func(t *testing.T, s *site) {
		n := 0
		s.settle(func(row *model.AccountRow) store.LeaverProgress {
			if n++; n > 2 {
				return synced(row)
			}
			row.State, row.Due, row.NextAttempt, row.LastError, row.ErrorClass = model.StateFailed, true, s.db.Now().Add(time.Hour), "invalid (400): <i>no</i>", "invalid"
			return store.LeaverProgress{}
		})
		all, next := 0, "/targets/chat/accounts?state=in_sync"
		for range 3 {
			page := s.look("auditor", next, 200)
			all += strings.Count(page, "<tr><td>")
			m := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page)
			if m == nil {
				break
			}
			next = strings.ReplaceAll(m[1], "&amp;", "&")
		}
		if all != 59 {
			t.Errorf("%d accounts in sync are listed, want 59", all)
		}
		page := s.look("auditor", "/targets/chat/accounts?class=invalid", 200)
		wants(t, page, "The application refuses the data", "What to do", "&lt;i&gt;no")
		if got := strings.Count(page, "<tr><td>"); got != 2 {
			t.Errorf("%d accounts with this error, want 2", got)
		}
		wants(t, s.look("auditor", "/targets/chat", 200), "2 accounts: the application refuses the data", "class=invalid", "59 in sync, 2 failed")
		wants(t, s.look("auditor", "/targets/chat/accounts?state=drifted", 200), "There are no such accounts")
		s.look("auditor", "/targets/chat/accounts?state=odd", 400)
		s.look("auditor", "/targets/nowhere/accounts", 404)
		s.look("person:p01", "/targets/chat/accounts", 403)
	})
}

// TestGroupsPage: groups of all targets with what grants them.
func TestGroupsPage(t *testing.T) {
	t.Parallel()
	eachSite(t, watched, []string{"bob", "eve"}, func(t *testing.T, s *site) {
		wants(t, s.look("auditor", "/groups?state=failed", 200), "No group is like that")
		s.groups()
		page := s.look("auditor", "/groups", 200)
		wants(t, page, "&lt;b&gt;staff", "leads", `href="/roles/lead"`, `href="/targets/git/groups"`, "2 expected")
		lacks(t, page, "<b>staff")
		lacks(t, s.look("auditor", "/targets/chat/groups", 200), "staff")
		lacks(t, s.look("auditor", "/groups?q=LEA", 200), "staff")
		wants(t, s.look("auditor", "/groups?q=LEA", 200), "leads")
		s.look("auditor", "/groups?state=x", 400)
		s.look("auditor", "/groups?cursor=x", 400)
		s.look("auditor", "/targets/nowhere/groups", 404)
		s.look("person:bob", "/groups", 403)
	})
}

// TestHeldPlan: exactly the plan that was looked at is released, by who may, and who
// takes access away types the target's name.
func TestHeldPlan(t *testing.T) {
	t.Parallel()
	eachSite(t, watched, []string{"bob", "eve", "<b>zoe</b>"}, func(t *testing.T, s *site) {
		s.settle(synced)
		hold := func(row *model.AccountRow) store.LeaverProgress {
			row.State, row.LastError = model.StateHeld, "removal 2 of at most 1"
			row.Applied = &model.Account{UserName: "at " + row.Target, Active: true}
			return store.LeaverProgress{}
		}
		s.gone("bob")
		s.settle(hold)
		page := s.look("approver", "/targets/chat", 200)
		wants(t, page, "Held plan", "wait for a person", "switch off", "removal 2 of at most 1", "Type chat to confirm", "Release exactly this plan")
		lacks(t, s.look("auditor", "/targets/chat", 200), "Release exactly this plan")
		wants(t, s.look("operator", "/targets/chat", 200), "Approvers and administrators release it")
		digest := regexp.MustCompile(`name="digest" value="([^"]+)"`).FindStringSubmatch(page)[1]
		form := url.Values{"back": {"/targets/chat"}, "digest": {digest}, "type": {"yes"}, "sure": {"chart"}, "key": {"one"}}
		wants(t, s.send("approver", "/targets/chat/release", form, 400), "Type the name", `value="chart"`, "Held plan")

		// The world moves: the digest is another one, and nothing is released.
		s.gone("<b>zoe</b>")
		s.settle(hold)
		form.Set("sure", "chat")
		wants(t, s.send("approver", "/targets/chat/release", form, 409), "look at the plan again", "Held plan", "at chat")
		page = s.look("approver", "/targets/chat", 200)
		form.Set("digest", regexp.MustCompile(`name="digest" value="([^"]+)"`).FindStringSubmatch(page)[1])
		form.Set("key", "two")
		s.send("operator", "/targets/chat/release", form, 403)
		form.Set("key", "three")
		said := s.send("approver", "/targets/chat/release", form, 303)
		wants(t, said, "Released: 2 changes of 2 accounts")
		wants(t, s.look("auditor", "/", 200), "git: ") // what is held there waits still
	})
}

// TestMovedTarget: a target whose URL is another tenant's waits as a whole, and is
// released as a whole.
func TestMovedTarget(t *testing.T) {
	t.Parallel()
	eachSite(t, watched, []string{"bob"}, func(t *testing.T, s *site) {
		err := s.db.UpdateTargetState(t.Context(), "git", func(st *store.TargetState) {
			st.Base = "old.example/scim"
			st.Moved = &store.Moved{From: "old.example/scim", To: "new.example/scim", At: s.db.Now(), Digest: "feed", Words: "the URL is <another> tenant's"}
		})
		if err != nil {
			t.Fatal(err)
		}
		page := s.look("approver", "/targets/git", 200)
		wants(t, page, "the URL is &lt;another&gt; tenant", "Nothing at all is done here", "Type git to confirm", `value="feed"`)
		lacks(t, page, "What would be done", "<another>")
		wants(t, s.look("auditor", "/", 200), "held")
		form := url.Values{"back": {"/targets/git"}, "digest": {"feed"}, "type": {"yes"}, "sure": {"git"}, "key": {"one"}}
		said := s.send("approver", "/targets/git/release", form, 303)
		wants(t, said, "Released: work at git goes on")
		lacks(t, said, "Held plan")
	})
}
