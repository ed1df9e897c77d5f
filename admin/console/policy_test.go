package console_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestPolicyPages(t *testing.T) {
	t.Parallel()
	conflicting := plainConfiguration + "conflicts:\n  - {roles: [employee, lead], action: refuse}\n"
	eachSite(t, conflicting, []string{"ada", "boss"}, func(t *testing.T, s *site) {
		for _, path := range []string{"/policy", "/policy/1", "/policy/change", "/conflicts"} {
			s.look("auditor", path, 200)
			s.look("person:ada", path, 403)
		}
		page := s.look("auditor", "/roles", 200)
		for _, want := range []string{"employee", "lead", "user.active", "user:boss", "at most 30d", "not together with"} {
			if !strings.Contains(page, want) {
				t.Errorf("roles: %q is missing", want)
			}
		}
		if page := s.look("person:ada", "/roles", 200); strings.Contains(page, `"/roles/employee"`) || !strings.Contains(page, `"/roles/lead"`) {
			t.Error("a person sees roles that cannot be asked for, or none")
		}
		s.look("person:ada", "/roles/employee", 404)
		if page := s.look("auditor", "/roles/employee", 200); !strings.Contains(page, "The ada") {
			t.Error("who holds a role is missing")
		}
		s.look("auditor", "/roles/none", 404)

		next := strings.Replace(conflicting, "when: user.active", "when: 'user.userName == \"ada\"'", 1)
		s.send("auditor", "/policy/plan", url.Values{"config": {next}, "back": {"/policy/change"}}, 403)
		if page := s.send("admin", "/policy/plan", url.Values{"config": {"listen: ["}, "back": {"/policy/change"}}, 400); !strings.Contains(page, "configuration:1") {
			t.Errorf("a fault does not say where: %s", around(page, `role="alert"`))
		}
		plan := s.send("admin", "/policy/plan", url.Values{"config": {next}, "back": {"/policy/change"}}, 200)
		for _, want := range []string{"Put it in force", "0 gain it, 1 lose it", "boss"} {
			if !strings.Contains(plan, want) {
				t.Errorf("plan: %q is missing", want)
			}
		}
		if strings.Contains(s.send("operator", "/policy/plan", url.Values{"config": {next}, "back": {"/policy/change"}}, 200), "Put it in force") {
			t.Error("an operator is offered what they may not do")
		}
		s.send("operator", "/policy/apply", url.Values{"config": {next}, "base": {"1"}, "back": {"/policy/change"}}, 403)
		if page := s.send("admin", "/policy/apply", url.Values{"config": {next}, "base": {"1"}, "back": {"/policy/change"}, "key": {"k"}}, 303); !strings.Contains(page, "Version 2 is in force") {
			t.Errorf("applied: %.400s", page)
		}
		if page := s.look("auditor", "/policy/difference?from=1&to=2", 200); !strings.Contains(page, "d-added") || !strings.Contains(page, "0 gain it, 1 lose it") {
			t.Error("the difference of versions is not shown")
		}
		if page := s.send("admin", "/policy/apply", url.Values{"config": {conflicting}, "base": {"1"}, "back": {"/policy/change"}}, 409); !strings.Contains(page, "version") {
			t.Errorf("a plan against an older version: %s", around(page, `role="alert"`))
		}
		if page := s.send("admin", "/policy/roll-back", url.Values{"version": {"1"}, "base": {"2"}, "back": {"/policy"}}, 409); !strings.Contains(page, "secrets in plain text") {
			t.Error("why a version cannot be had again is not said")
		}
	})
}

func TestExceptionsInTheConsole(t *testing.T) {
	t.Parallel()
	conflicting := plainConfiguration + "conflicts:\n  - {roles: [employee, lead], action: refuse}\n"
	eachSite(t, conflicting, []string{"ada", "boss"}, func(t *testing.T, s *site) {
		form := url.Values{"for": {"ada"}, "roles": {"employee, lead"}, "owner": {"boss"}, "reason": {"while bob is ill"}, "until": {"30d"}, "back": {"/conflicts"}}
		s.send("auditor", "/exceptions", form, 403)
		wrong := url.Values{"for": {"nobody"}, "roles": {"employee, lead"}, "owner": {"boss"}, "reason": {"kept <i>text</i>"}, "until": {"30d"}, "back": {"/conflicts"}}
		if page := s.send("approver", "/exceptions", wrong, 404); !strings.Contains(page, "kept &lt;i&gt;text") {
			t.Error("what was typed is lost")
		}
		if page := s.send("approver", "/exceptions", form, 303); !strings.Contains(page, "while bob is ill") {
			t.Errorf("the exception is not shown: %.300s", page)
		}
	})
}
