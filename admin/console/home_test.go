package console_test

import (
	"testing"

	"github.com/scimhub/scimhub/hub"
)

// TestHome: everybody sees first what concerns them, and persons nothing else.
func TestHome(t *testing.T) {
	t.Parallel()
	eachSite(t, watched, []string{"bob", "eve", "<b>zoe</b>"}, func(t *testing.T, s *site) {
		page := s.look("auditor", "/", 200)
		wants(t, page, "<h2>Targets", `href="/targets/chat"`, "3 here", "Nobody left in the last seven days")
		lacks(t, page, "Your access", "swordfish")

		own := s.look("person:bob", "/", 200)
		wants(t, own, "Nothing waits for you", "Your access", "employee", "<td data-label=\"Group\">", "chat", "git", "You have not asked for anything")
		lacks(t, own, `href="/targets/chat"`, "zoe", "eve", "<h2>Targets", "<b>staff")

		if _, err := s.hub.AskRequest(t.Context(), hub.Who{Name: "bob", Person: "bob"}, hub.Ask{Role: "lead", Reason: "<i>because</i>"}); err != nil {
			t.Fatal(err)
		}
		wants(t, s.look("person:bob", "/", 200), "Your requests", ">lead</a>", "eve")
		waiting := s.look("person:eve", "/", 200)
		wants(t, waiting, "bob asks for lead", "&lt;i&gt;because")
		lacks(t, waiting, "<i>because", "Nothing waits for you")
		lacks(t, s.look("person:<b>zoe</b>", "/", 200), "bob", "<b>zoe")

		// Who has left sees nothing any more.
		s.gone("bob")
		wants(t, s.look("person:bob", "/", 200), "who has left")
		lacks(t, s.look("person:bob", "/", 200), "Your access")
	})
}
