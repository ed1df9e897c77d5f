package console_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
)

const peopleConfiguration = `
database: sqlite:x.db
admin: {tokens: [{name: ops, secret: hunter2hunter2, role: admin}]}
sources:
  hr: {tokens: [{name: main, secret: sesame-open-sesame}]}
  idp: {tokens: [{name: main, secret: sesame-open-sesame-2}]}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  engineer: {when: 'user.title == "Engineer"', grants: [{target: chat, group: eng}]}
targets: {chat: {url: "http://127.0.0.1:1", auth: {bearer: swordfish-swordfish}}}
`

// personPage is the address of somebody's page.
func (s *site) personPage(name string) string {
	s.t.Helper()
	m := regexp.MustCompile(`href="(/people/[0-9a-f-]{36})"`).FindStringSubmatch(s.look("auditor", "/people?q="+url.QueryEscape(name), 200))
	if m == nil {
		s.t.Fatalf("%s is not found", name)
	}
	return m[1]
}

func TestPeople(t *testing.T) {
	t.Parallel()
	eachSite(t, peopleConfiguration, []string{"ada", "bob"}, func(t *testing.T, s *site) {
		for _, path := range []string{"/people", "/cases", "/people?stage=leaver", "/people?cursor=rubbish"} {
			status := 200
			if strings.Contains(path, "rubbish") {
				status = 400
			}
			s.look("auditor", path, status)
			s.look("person:ada", path, 403)
		}
		if page := s.look("auditor", "/people?q=nobody-at-all", 200); !strings.Contains(page, "Nobody is found") {
			t.Error("an empty search does not say so")
		}
		ada := s.personPage("ada")
		page := s.look("auditor", ada, 200)
		for _, want := range []string{"The ada", "employee", "chat", "user.active", "What if", "hr"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if strings.Contains(page, "Bring this person in line") || strings.Contains(page, "Erase personal data") {
			t.Error("an auditor is offered what they may not do")
		}
		s.look("auditor", "/people/ada", 303)
		s.look("auditor", "/people/nobody", 404)
		s.look("auditor", ada+"/timeline", 200)
		if page := s.look("auditor", ada+"?at=2020-01-01", 200); !strings.Contains(page, "nothing then") {
			t.Errorf("of a day before everything: %s", around(page, "As of"))
		}
		s.look("auditor", ada+"?at=yesterday-ish", 200)
		answer := s.send("auditor", ada+"/what-if", url.Values{"path": {"title"}, "value": {"Engineer"}, "back": {ada}}, 200)
		if !strings.Contains(answer, "engineer") || !strings.Contains(answer, "joins eng") {
			t.Errorf("what would be if: %s", answer)
		}
		if again := s.send("auditor", ada+"/what-if", url.Values{"path": {"title"}, "value": {"<b>"}, "when": {"some day"}, "back": {ada}}, 400); !strings.Contains(again, "some day") || strings.Contains(again, "<b>") {
			t.Error("what was typed is lost, or shown as it is")
		}
	})
}

func TestPeopleActions(t *testing.T) {
	t.Parallel()
	eachSite(t, peopleConfiguration, []string{"ada", "bob"}, func(t *testing.T, s *site) {
		ada := s.personPage("ada")
		s.send("auditor", ada+"/erase", url.Values{"name": {"ada"}}, 403)
		if page := s.send("admin", ada+"/erase", url.Values{"name": {"Ada"}, "back": {ada}}, 400); !strings.Contains(page, "exactly") {
			t.Error("a wrong name does not say so")
		}
		user, _ := scim.DefaultRegistry().Type("User")
		if _, err := s.hub.Create(t.Context(), hub.Actor{Source: "idp", Name: "main"}, user, map[string]any{"userName": "ada.l", "title": "Engineer", "active": true}); err != nil {
			t.Fatal(err)
		}
		s.evaluate()
		other := s.personPage("ada.l")
		s.send("auditor", other+"/link", url.Values{"to": {"ada"}, "back": {other}}, 403)
		if page := s.send("operator", other+"/link", url.Values{"to": {"nobody"}, "back": {other}}, 404); !strings.Contains(page, `value="nobody"`) {
			t.Error("what was typed is lost")
		}
		if page := s.send("operator", other+"/link", url.Values{"to": {"ada"}, "back": {other}, "key": {"k1"}}, 303); !strings.Contains(page, "one person") {
			t.Errorf("linked: %.300s", page)
		}
		s.evaluate()
		if page := s.look("auditor", ada, 200); !strings.Contains(page, "engineer") || !strings.Contains(page, "idp: ada.l") {
			t.Error("what both sources say is not shown")
		}
		s.send("operator", ada+"/unlink", url.Values{"source": {"idp"}, "back": {ada}}, 303)
		s.evaluate()
		if page := s.look("auditor", ada, 200); strings.Contains(page, "idp: ada.l") {
			t.Error("they are together still")
		}
	})
}
