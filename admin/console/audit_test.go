package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// hostileNames are people whose names try to become part of a page, or to break it.
func hostileNames() []string {
	return []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\u202eevil\u2066", strings.Repeat("ä", 5000)}
}

// TestAuditPage: what was done is found by who, what, whom and when; who may not read
// sees nothing; texts of others stay texts.
func TestAuditPage(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, append([]string{"ada", "boss"}, hostileNames()...), func(t *testing.T, s *site) {
		page := s.look("auditor", "/audit", 200)
		wants(t, page, "Pushed something new", "displayName", "source hr/main", ">ada<", "/audit/export?format=csv", "No checkpoint")
		lacks(t, page, "<script>alert", "<img src=x")
		s.look("person:ada", "/audit", 403)
		s.look("person:ada", "/audit/export", 403)

		one := s.look("auditor", "/audit?person=ada", 200)
		wants(t, one, ">ada<", "identity=ada")
		lacks(t, one, ">boss<")
		wants(t, s.look("auditor", "/audit?actor=nobody%25", 200), "Nothing fits", `value="nobody%"`)
		wants(t, s.look("auditor", "/audit?until=2001-01-01", 200), "Nothing fits")
		for _, wrong := range []string{"since=someday", "person=none", "cursor=x"} {
			wants(t, s.look("auditor", "/audit?"+wrong, 200), `role="alert"`)
		}
		wants(t, s.look("auditor", "/audit?since=%22%3E%3Cscript%3E", 200), `value="&#34;&gt;&lt;script&gt;"`)
		csv := s.look("auditor", "/audit/export?format=csv&identity=ada", 200)
		if !strings.HasPrefix(csv, "at,actor,action") || strings.Contains(csv, "boss") {
			t.Errorf("the export: %.200s", csv)
		}
		wants(t, s.look("auditor", "/audit/export?identity=none", 404), "<h1>")
	})
}

// TestAuditPages: a long trail is gone through page by page, nothing twice.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, nil, func(t *testing.T, s *site) {
		err := s.db.Update(t.Context(), func(tx *store.Tx) error {
			for n := range 120 {
				data := fmt.Sprintf(`{"text":"%s"}`, strings.Repeat("x", n*100))
				if err := tx.Audit(store.AuditEntry{Actor: "somebody", Action: "test.step", Object: fmt.Sprintf("step/%03d", n), Data: []byte(data)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for path, pages := "/audit?actor=some", 0; path != ""; pages++ {
			page := s.look("auditor", path, 200)
			for _, m := range regexp.MustCompile(`step (\d{3})<`).FindAllStringSubmatch(page, -1) {
				if seen[m[1]] {
					t.Errorf("step %s is shown twice", m[1])
				}
				seen[m[1]] = true
			}
			path = ""
			if next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page); next != nil {
				path = html.UnescapeString(next[1])
			}
			if pages > 10 {
				t.Fatal("there is no end")
			}
		}
		if len(seen) != 120 {
			t.Errorf("%d of 120 entries are shown", len(seen))
		}
		wants(t, s.look("auditor", "/audit?object=step/119", 200), "shortened")
	})
}

// TestVerifyPage: the result is said in words, with what it does not prove; a trail that
// was tampered with does not hold.
func TestVerifyPage(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, []string{"ada"}, func(t *testing.T, s *site) {
		form := url.Values{"back": {"/audit"}}
		wants(t, s.send("auditor", "/audit/verify", form, 200), "The audit trail holds", "Nothing was compared that was kept elsewhere", "audit.key")
		s.send("person:ada", "/audit/verify", form, 403)
		wants(t, s.send("auditor", "/audit/verify", url.Values{"back": {"/audit"}, "checkpoints": {`{"x": <b>`}}, 400), "cannot be read", "{&#34;x&#34;: &lt;b&gt;")
		wants(t, s.send("auditor", "/audit/verify", url.Values{"back": {"/audit"}, "keys": {"abc"}}, 400), "64 hexadecimal digits", `value="abc"`)
		if s.db.Exec(t, `UPDATE audit SET actor = 'eve' WHERE action = 'scim.create'`) == 0 {
			t.Fatal("there is nothing to tamper with")
		}
		page := s.send("auditor", "/audit/verify", form, 200)
		wants(t, page, "does not hold")
		lacks(t, page, "The audit trail holds")
	})
}

// TestEvidencePages: each question of an auditor is answered on a page whose digest is of
// the text that it shows, and as files.
func TestEvidencePages(t *testing.T) {
	t.Parallel()
	conflicting := watched + "conflicts:\n  - {roles: [employee, lead], action: refuse}\n"
	eachSite(t, conflicting, append([]string{"ada", "eve"}, hostileNames()...), func(t *testing.T, s *site) {
		s.settle(synced)
		s.gone("eve")
		for _, q := range []struct {
			query string
			want  []string
		}{
			{"kind=access&target=chat", []string{"who had access to chat", ">ada<", "user.active", "chat, an account"}},
			{"kind=access&role=employee", []string{"by the role employee", ">ada<", "the role"}},
			{"kind=access&target=chat&from=-1h", []string{"between", "and after"}},
			{"kind=access&target=none", []string{"Nobody had it then"}},
			{"kind=person&person=ada", []string{"what changed for ada", "gains the role employee", "source hr/main"}},
			{"kind=conflicts", []string{"employee, lead", "not together"}},
			{"kind=leavers", []string{">eve<", "chat"}},
		} {
			page := s.look("auditor", "/evidence?"+q.query, 200)
			wants(t, page, append(q.want, "configuration version 1", "by the auditor", "never signed", "data-print")...)
			lacks(t, page, "<script>alert", "<img src=x")
			proven := html.UnescapeString(regexp.MustCompile(`(?s)<pre>(.*?)</pre></details>\s*</section>`).FindStringSubmatch(page)[1])
			sum := sha256.Sum256([]byte(proven))
			if !strings.Contains(page, hex.EncodeToString(sum[:])) {
				t.Errorf("%s: the digest is not that of the text:\n%.300s", q.query, proven)
			}
			for format, want := range map[string]string{"csv": "# sha256: ", "jsonl": `"sha256":`} {
				if file := s.look("auditor", "/evidence/file?format="+format+"&"+q.query, 200); !strings.Contains(file, want) {
					t.Errorf("%s as %s: %.200s", q.query, format, file)
				}
			}
			s.look("person:ada", "/evidence?"+q.query, 403)
			s.look("person:ada", "/evidence/file?"+q.query, 403)
		}
		for query, want := range map[string]string{
			"":                                        "To which target",
			"kind=person":                             "user name",
			"kind=review":                             "no access review yet",
			"kind=person&person=none":                 `role="alert"`,
			"kind=access&target=chat&at=someday":      `value="someday"`,
			"kind=access&group=%22%3Cb%3E&role=x":     `&lt;b&gt;`,
			"kind=review&review=none":                 `role="alert"`,
			"kind=leavers&until=2001-01-01":           "Nobody left",
			"kind=person&person=ada&until=2001-01-01": "Nothing changed",
			"kind=nonsense":                           "To which target",
		} {
			wants(t, s.look("auditor", "/evidence?"+query, 200), want)
		}
		s.look("auditor", "/evidence/file?kind=person", 303)
		wants(t, s.look("auditor", "/evidence/file?kind=person&person=none", 404), "<h1>")
		for page := range hostileNames() {
			s.look("auditor", "/evidence?kind=person&person="+url.QueryEscape(hostileNames()[page]), 200)
		}
	})
}

// TestReviewEvidence: what was decided in a review can be handed out.
func TestReviewEvidence(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, []string{"ada", "boss", `<b>zoe</b>`}, func(t *testing.T, s *site) {
		v, err := s.hub.StartReview(t.Context(), hub.Who{Name: "test", Operator: true}, hub.NewReview{Scope: model.ReviewScope{Role: "employee"}, Stages: []model.ReviewStage{{Reviewers: []string{"user:boss"}, Within: 7 * 24 * time.Hour}}})
		if err != nil {
			t.Fatal(err)
		}
		s.reviews()
		boss := hub.Who{Name: "boss", Person: "boss"}
		items, _, err := s.hub.ReviewItems(t.Context(), boss, hub.ReviewItemQuery{Review: v.ID, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			if i.Person == "ada" {
				_, err = s.hub.DecideReview(t.Context(), boss, v.ID, i.ID, hub.ReviewVerdict{Verdict: model.VerdictRevoke, Reason: "no <i>longer</i>"})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		page := s.look("auditor", "/evidence?kind=review", 200)
		id := regexp.MustCompile(`<option value="([^"]+)"`).FindStringSubmatch(page)
		if id == nil {
			t.Fatalf("no review can be chosen: %s", mainOf(page))
		}
		page = s.look("auditor", "/evidence?kind=review&review="+id[1], 200)
		wants(t, page, "what was decided in the access review", ">ada<", "role employee", ">none<", "&lt;b&gt;zoe", " selected>", "no &lt;i&gt;longer", ">revoke<")
		if file := s.look("auditor", "/evidence/file?kind=review&review="+id[1], 200); strings.Count(file, ",employee,") != 3 || !strings.Contains(file, "# count: 3") {
			t.Errorf("the file: %s", file)
		}
		s.look("person:ada", "/evidence?kind=review&review="+id[1], 403)
	})
}
