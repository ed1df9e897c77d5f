package console_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestAskAndAnswer: somebody asks, the one who decides sees what they need and says yes.
func TestAskAndAnswer(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, []string{"ada", "boss", "eve"}, func(t *testing.T, s *site) {
		if page := s.look("person:ada", "/requests", 200); !strings.Contains(page, "role=lead") || strings.Contains(page, "role=employee") {
			t.Error("what may be asked for is not offered, or what may not")
		}
		s.look("person:ada", "/requests?role=lead", 200)
		ask := url.Values{"role": {"lead"}, "reason": {""}, "back": {"/requests?role=lead"}, "until": {"14d"}}
		if page := s.send("person:ada", "/requests", ask, 400); !strings.Contains(page, `value="14d"`) {
			t.Error("what was typed is lost")
		}
		ask.Set("reason", "for <b>this</b>")
		ask.Set("key", "k1")
		page := s.send("person:ada", "/requests", ask, 303)
		id := regexp.MustCompile(`/requests/([0-9a-f-]{36})/withdraw`).FindStringSubmatch(page)
		if id == nil || !strings.Contains(page, "waits for boss") {
			t.Fatalf("asked: %s", page)
		}
		if strings.Contains(page, ">Approve<") {
			t.Error("who asked is offered to approve")
		}
		if again := s.send("person:ada", "/requests", ask, 303); !strings.Contains(again, id[1]) {
			t.Error("the same form sent twice asks twice")
		}
		s.look("person:eve", "/requests/"+id[1], 404)
		if page := s.look("person:eve", "/approvals", 200); strings.Contains(page, "lead") {
			t.Error("eve sees what waits for the boss")
		}
		card := s.look("person:boss", "/approvals", 200)
		for _, want := range []string{"The ada", "for &lt;b&gt;this&lt;/b&gt;", "group leads", ">Approve<", "employee"} {
			if !strings.Contains(card, want) {
				t.Errorf("the card lacks %q", want)
			}
		}
		version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(card)[1]
		back := url.Values{"version": {version}, "back": {"/approvals"}}
		s.send("person:ada", "/requests/"+id[1]+"/approve", back, 403)
		if page := s.send("person:boss", "/requests/"+id[1]+"/deny", back, 400); !strings.Contains(page, "Say why not") {
			t.Error("denied without a reason")
		}
		stale := url.Values{"version": {"999"}, "back": {"/approvals"}}
		if page := s.send("person:boss", "/requests/"+id[1]+"/approve", stale, 409); !strings.Contains(page, "role=\"alert\"") {
			t.Error("what has changed meanwhile is approved")
		}
		if page := s.send("person:boss", "/requests/"+id[1]+"/approve", back, 303); !strings.Contains(page, "gets lead") || !strings.Contains(page, "Nothing waits") {
			t.Errorf("approved: %s", page)
		}
		s.evaluate()
		if page := s.look("auditor", "/people/"+regexp.MustCompile(`[0-9a-f-]{36}$`).FindString(s.personPage("ada")), 200); !strings.Contains(page, "leads") || !strings.Contains(page, ">boss<") {
			t.Error("what was approved, and by whom, is not shown")
		}
		s.look("auditor", "/approvals", 200)
		s.send("auditor", "/requests/"+id[1]+"/revoke", back, 403)
		s.send("operator", "/requests/"+id[1]+"/revoke", url.Values{"reason": {"no longer"}, "back": {"/requests/" + id[1]}}, 303)
	})
}

func TestDeputiesAndTasks(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, []string{"ada", "boss"}, func(t *testing.T, s *site) {
		for _, who := range []string{"admin", "auditor", "person:ada"} {
			s.look(who, "/deputies", 200)
			s.look(who, "/tasks", 200)
			s.look(who, "/tasks?state=closed", 200)
		}
		s.look("auditor", "/tasks/none", 404)
		s.look("person:ada", "/act?t=rubbish", 400)
		if page := s.send("person:boss", "/deputies", url.Values{"deputy": {"nobody"}, "until": {"14d"}, "back": {"/deputies"}}, 404); !strings.Contains(page, `value="nobody"`) {
			t.Error("what was typed is lost")
		}
		page := s.send("person:boss", "/deputies", url.Values{"deputy": {"ada"}, "until": {"14d"}, "back": {"/deputies"}}, 303)
		end := regexp.MustCompile(`/deputies/[^/]+/end`).FindString(page)
		if end == "" {
			t.Fatalf("the deputy is not shown: %s", page)
		}
		s.send("person:boss", end, url.Values{"back": {"/deputies"}}, 303)
	})
}
