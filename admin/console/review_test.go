package console_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
)

const underReview = `
database: sqlite:x.db
admin: {tokens: [{name: ops, secret: hunter2hunter2, role: admin}]}
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}]}}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  engineer: {when: 'user.title == "Engineer"', grants: [{target: git, group: engineers}]}
  root: {when: 'user.title == "Engineer" && user.userName.startsWith("e1")', risk: high, grants: [{target: git, group: root}]}
reviews: {bulk_keeps: 25}
targets:
  chat: {url: "http://127.0.0.1:1", auth: {bearer: swordfish-swordfish}}
  git: {url: "http://127.0.0.1:2", auth: {bearer: swordfish-swordfish}}
`

// team makes people who all work for the boss.
func (s *site) team(names ...string) {
	s.t.Helper()
	user, _ := scim.DefaultRegistry().Type("User")
	by := hub.Actor{Source: "hr", Name: "main"}
	boss, err := s.hub.Create(s.t.Context(), by, user, map[string]any{"userName": "boss", "displayName": "The boss", "active": true})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		_, err := s.hub.Create(s.t.Context(), by, user, map[string]any{"userName": name, "displayName": name, "active": true, "title": "Engineer",
			scim.URNEnterprise: map[string]any{"department": "dev", "manager": map[string]any{"value": boss.ID}}})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.evaluate()
}

// reviews does all that reviews have to do by themselves.
func (s *site) reviews() {
	s.t.Helper()
	for range 200 {
		s.evaluate()
		worked, err := s.hub.ReviewStep(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if !worked {
			return
		}
	}
	s.t.Fatal("reviews come to no end")
}

// begin starts a review by the form, and returns its page's address.
func (s *site) begin(pairs ...string) string {
	s.t.Helper()
	form := url.Values{"key": {"begin"}, "back": {"/reviews/new"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	s.send("operator", "/reviews", form, http.StatusSeeOther)
	s.reviews()
	page := s.look("operator", "/reviews", 200)
	m := regexp.MustCompile(`href="(/reviews/[0-9a-f-]{36})"`).FindStringSubmatch(page)
	if m == nil {
		s.t.Fatalf("no review is listed: %s", mainOf(page))
	}
	return m[1]
}

// shownItem is an item of a page: what the form about it holds.
type shownItem struct{ box, id, version string }

func itemsOf(page string) (out []shownItem) {
	for _, m := range regexp.MustCompile(`form="bulk" id="c-[^"]+" name="(item|alone)" value="([^ ]+) (\d+)"`).FindAllStringSubmatch(page, -1) {
		out = append(out, shownItem{m[1], m[2], m[3]})
	}
	return out
}

// boxes are the items of a page as the form about many sends them, up to a number.
func boxes(items []shownItem, most int) url.Values {
	form := url.Values{}
	for _, i := range items[:min(most, len(items))] {
		form.Add(i.box, i.id+" "+i.version)
	}
	return form
}

// with is a form with more in it.
func with(form url.Values, pairs ...string) url.Values {
	out := maps.Clone(form)
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

// said is what a decision about one item sends.
func said(i shownItem, review, decision, reason string) url.Values {
	return url.Values{"key": {"k" + i.id + decision + reason}, "back": {review}, "list": {"1"}, "about": {i.id}, "version": {i.version}, "decision": {decision}, "reason": {reason}}
}

// TestReviewCampaign: a reviewer goes through a campaign page by page, is kept from
// saying yes unseen, and the report says what became of it.
func TestReviewCampaign(t *testing.T) {
	t.Parallel()
	names := []string{"<script>x</script>", `"quoted"`, "\u202egnp"}
	for n := range 25 {
		names = append(names, fmt.Sprintf("p%02d", n))
	}
	eachSite(t, underReview, nil, func(t *testing.T, s *site) {
		s.team(names...)
		s.settle(synced)
		review := s.begin("role", "engineer", "name", `Autumn <b>"all"</b>`, "reason", "once a year")
		wants(t, s.look("person:boss", "/reviews", 200), "Wait for you", `<span class="big">28</span>`)

		// What a page asks for by itself counts as unseen; then it is refused, and shown.
		unseen := itemsOf(s.askLive("person:boss", review))
		if len(unseen) != 25 {
			t.Fatalf("%d items on the first page", len(unseen))
		}
		bulk := url.Values{"back": {review}, "decision": {"keep"}, "reason": {"as every year"}}
		page := s.send("person:boss", review+"/decide", with(boxes(unseen, 2), "back", review, "decision", "keep", "reason", "as every year", "key", "b1"), 409)
		wants(t, page, "not looked at yet are", "open them first", `value="as every year"`, "Autumn &lt;b&gt;")
		lacks(t, page, "<script>x", "<b>", "Close it")
		page = s.look("person:boss", review, 200)
		wants(t, page, "Decided: 0 of 28 items, 28 wait for you", "title &#34;Engineer&#34; from hr", "git: engineers", "27 of 27 people of the same manager have it", "in dev for boss", "&lt;script&gt;x", "advice: keep", `rel="next"`, "at most 25 items are kept at once")
		items := itemsOf(page)
		page = s.send("person:boss", review+"/decide", with(bulk, "key", "b2"), 400)
		wants(t, page, "Choose items first")
		page = s.send("person:boss", review+"/decide", with(boxes(items, 25), "back", review, "decision", "revoke", "key", "b3"), 400)
		wants(t, page, "Say why they are to be revoked")
		page = s.send("person:boss", review+"/decide", with(boxes(items, 20), "back", review, "decision", "keep", "key", "b4"), 303)
		wants(t, page, "20 items kept.", "Decided: 20 of 28 items, 8 wait for you")
		page = s.send("person:boss", review+"/decide", with(boxes(items, 1), "back", review, "decision", "keep", "key", "b5"), 303)
		wants(t, page, "0 items kept.", "1 item not decided", "the item has changed meanwhile")

		// One by one.
		items = itemsOf(page)
		decide := func(n int) string { return review + "/items/" + items[n].id + "/decide" }
		page = s.send("person:boss", decide(0), with(said(items[0], review, "until", "short"), "until", ""), 400)
		wants(t, page, "Say until when", `value="short"`, "<details open data-id=\"end-"+items[0].id)
		if n := strings.Count(page, `value="short"`); n != 1 {
			t.Errorf("what was typed stands at %d items", n)
		}
		wants(t, s.send("person:boss", decide(0), said(items[0], review, "revoke", " "), 400), "Say why it is to be revoked")
		wants(t, s.send("person:boss", decide(0), with(said(items[0], review, "keep", ""), "version", "77"), 409), "look at it again")
		s.send("person:p01", decide(0), said(items[0], review, "keep", ""), 404)
		s.send("auditor", decide(0), said(items[0], review, "keep", ""), 403)
		page = s.send("person:boss", decide(0), with(said(items[0], review, "revoke", "<i>left</i> the team"), "then", items[1].id), 303)
		wants(t, page, "Revoked: Role engineer of", "You decided just now about", "Change it", "Decided: 21 of 28")
		page = s.send("person:boss", decide(1), with(said(items[1], review, "until", ""), "until", "30d"), 303)
		wants(t, page, "Kept until the date", "6 wait for you")
		own := review + "/items/" + items[1].id
		page = s.look("person:boss", own, 200)
		wants(t, page, "keep until ", "Change the decision")
		version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(page)[1]
		page = s.send("person:boss", own+"/decide", url.Values{"back": {own}, "key": {"ch"}, "about": {items[1].id}, "version": {version}, "decision": {"keep"}}, 303)
		wants(t, page, "Kept: Role engineer", "keep until ", "keep, by boss")
		lacks(t, s.look("auditor", own, 200), "Change the decision", "/decide")
		s.look("person:p01", own, 404)

		// Closed early it asks why; then the report says what stands out.
		page = s.send("operator", review+"/close", url.Values{"back": {review}, "key": {"c1"}, "closing": {"1"}, "force": {"1"}}, 400)
		wants(t, page, "reason is missing")
		wants(t, s.send("operator", review+"/close", url.Values{"back": {review}, "key": {"c2"}, "closing": {"1"}, "force": {"1"}, "reason": {"x"}, "undecided": {"revoke"}, "sure": {"other"}}, 400), "type the name of the review", "6 items")
		s.send("auditor", review+"/close", url.Values{"back": {review}, "key": {"c3"}, "force": {"1"}, "reason": {"x"}}, 403)
		s.send("operator", review+"/close", url.Values{"back": {review}, "key": {"c4"}, "closing": {"1"}, "force": {"1"}, "reason": {"audit comes"}}, 303)
		s.reviews()
		page = s.look("auditor", review+"/report", 200)
		wants(t, page, "nobody decided about 6 items", "1 revocations are not seen to be carried out", "0 of 1", "hasty: ", "&lt;i&gt;left", "Nobody decided", "Digest", "/export?format=csv")
		lacks(t, page, "<i>left", "<script>x", "335h")
		s.settle(synced)
		if _, err := s.db.SQL.ExecContext(t.Context(), `UPDATE review_items SET check_at = 1 WHERE check_at IS NOT NULL`); err != nil {
			t.Fatal(err)
		}
		s.reviews()
		page = s.look("auditor", review+"/report", 200)
		wants(t, page, "1 of 1", "on average", "Revoked, and verified gone", "&lt;i&gt;left")
		lacks(t, page, "not seen to be carried out")
		page = s.look("auditor", review+"?state=revoked", 200)
		wants(t, page, "taken away in the hub", "seen to be gone at the target", "revoked and verified")
		lacks(t, page, "<form id=\"bulk\"", "Close it</h2>")
		s.look("person:boss", review+"/report", 403)

		// The file.
		file := s.look("auditor", review+"/export?format=csv", 200)
		if n := strings.Count(file, "\n"); n != 29 || !strings.HasPrefix(file, "item,person,") {
			t.Errorf("the file has %d lines: %.200s", n, file)
		}
		wants(t, s.look("auditor", "/reviews/none/export?format=csv", 404), "<html")
		s.look("person:boss", review+"/export?format=json", 403)

		// What was taken away can be given back.
		page = s.look("operator", "/reviews/exclusions", 200)
		wants(t, page, "Let them have it again", "&lt;i&gt;left", "Role engineer")
		m := regexp.MustCompile(`action="(/reviews/exclusions/[^"]+/end)"`).FindStringSubmatch(page)
		s.send("auditor", m[1], url.Values{"back": {"/reviews/exclusions"}, "reason": {"x"}, "key": {"e0"}}, 403)
		s.send("operator", m[1], url.Values{"back": {"/reviews/exclusions"}, "reason": {" "}, "key": {"e1"}}, 400)
		wants(t, s.send("operator", m[1], url.Values{"back": {"/reviews/exclusions"}, "reason": {"a slip"}, "key": {"e2"}}, 303), "gets it again", "Nothing is kept from anybody")
		lacks(t, s.look("auditor", "/reviews/exclusions?ended=true", 200), "Let them have it again")
	})
}

// askLive opens a page as the page itself does when something has changed.
func (s *site) askLive(as, path string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("As", as)
	req.Header.Set("X-Live", "1")
	res, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %v", path, res.StatusCode, err)
	}
	return string(text)
}

// TestReviewsOfRisk: what is of high risk is decided by itself; filters, stages and who
// decides in the place of others.
func TestReviewsOfRisk(t *testing.T) {
	t.Parallel()
	eachSite(t, underReview, nil, func(t *testing.T, s *site) {
		wants(t, s.look("operator", "/reviews", 200), "No review is running", "Start a review")
		lacks(t, s.look("auditor", "/reviews", 200), "/reviews/new")
		s.team("e1", "e10", "other")
		wants(t, s.look("person:boss", "/reviews", 200), "Nothing waits for you")
		s.look("auditor", "/reviews/new", 403)
		s.look("person:boss", "/reviews/new", 403)
		s.look("person:boss", "/reviews/exclusions", 403)
		s.look("operator", "/reviews/none", 404)
		wants(t, s.look("operator", "/reviews/new?count=1&role=engineer", 200), "3 items</strong> about role engineer", `value="engineer"`)
		wants(t, s.look("operator", "/reviews/new?count=1&role=engineerr", 200), "did you mean", `value="engineerr"`)
		wants(t, s.look("operator", "/reviews/new?count=1&role=employee&risk=high", 200), "Nobody has what it is about")
		s.send("auditor", "/reviews", url.Values{"role": {"root"}, "key": {"a"}}, 403)
		wants(t, s.send("operator", "/reviews", url.Values{"back": {"/reviews/new"}, "name": {"<b>n"}, "key": {"b"}}, 400), "a review needs a scope", `value="&lt;b&gt;n"`)
		wants(t, s.send("operator", "/reviews", url.Values{"back": {"/reviews/new"}, "role": {"root"}, "reviewer": {"role"}, "key": {"c"}}, 400), "say which role")

		review := s.begin("risk", "high", "second", "user", "second_name", "other", "second_within", "3d", "due", "7d", "undecided", "revoke")
		page := s.look("person:boss", review, 200)
		items := itemsOf(page)
		if len(items) != 2 || items[0].box != "alone" {
			t.Fatalf("items %+v", items)
		}
		wants(t, page, "high risk", "stage 1 of 2")
		wants(t, s.send("person:boss", review+"/decide", with(boxes(items, 2), "back", review, "decision", "keep", "key", "d"), 409), "of high risk", "decide about each by itself")
		page = s.look("admin", review, 200)
		wants(t, page, "noted as an override", "revoke</strong>")
		lacks(t, s.look("operator", review, 200), `form="bulk"`)
		wants(t, s.look("auditor", review+"?state=any&person=e10", 200), ">e10</a>", "Show only some")
		lacks(t, s.look("auditor", review+"?state=any&person=e10", 200), ">e1</a>")
		wants(t, s.look("auditor", review+"?state=any&person=nobody", 200), "Nothing is like this", "role=\"alert\"")
		wants(t, s.look("auditor", review+"?state=kept", 200), "none in this state")
		s.look("auditor", review+"?state=rubbish", 400)
		s.look("auditor", review+"?cursor=rubbish%00", 400)
		for _, i := range items {
			s.send("person:boss", review+"/items/"+i.id+"/decide", said(i, review, "keep", "needed"), 303)
		}
		s.reviews()
		page = s.look("person:other", review, 200)
		wants(t, page, "stage 2 of 2", "2 wait for you", "keep, by boss: “needed”")
		page = s.send("person:other", review+"/decide", with(boxes(itemsOf(page), 2), "back", review, "decision", "revoke", "reason", "too many", "key", "e"), 303)
		wants(t, page, "2 items revoked.", "you are done")
		wants(t, s.look("operator", review, 200), "Everything is decided", "Close it now", "2 ")
		wants(t, s.send("operator", review+"/close", url.Values{"back": {review}, "closing": {"1"}, "key": {"f"}}, 303), "Report: ")
		page = s.look("operator", "/reviews?state=closed", 200)
		wants(t, page, review, "closed")
	})
}
