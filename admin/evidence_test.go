package admin_test

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// read asks the API, which has to answer.
func (p *past) read(path string) []byte {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.server.URL+"/api/v1"+path, http.NoBody)
	p.must(err)
	req.Header.Set("Authorization", "Bearer auditor-secret")
	res, err := p.server.Client().Do(req)
	p.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	p.must(err)
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s: %s", path, res.Status, body)
	}
	return body
}

// evidence reads all pages of evidence.
func evidence[T any](p *past, path string, limit int) (out []T) {
	p.t.Helper()
	cursor := ""
	for range 1000 {
		var page admin.Evidence[T]
		p.must(json.Unmarshal(p.read(fmt.Sprintf("%s&limit=%d&cursor=%s", path, limit, url.QueryEscape(cursor))), &page))
		if len(page.Items) > limit || page.Count != len(page.Items) || len(page.Digest) != 64 {
			p.t.Fatalf("%s: a page of %d, count %d, digest %q", path, len(page.Items), page.Count, page.Digest)
		}
		if out = append(out, page.Items...); page.Next == "" {
			return out
		}
		cursor = page.Next
	}
	p.t.Fatalf("%s has no end", path)
	return nil
}

// truth is who had access to what at a moment, by the rows of accounts as they were then:
// identity, group and target.
type truth struct {
	at   time.Time
	had  map[string][]string // target:group -> identities
	held map[string][]string // role -> identities
}

func (p *past) truth() truth {
	out := truth{at: p.clock.Now(), had: map[string][]string{}, held: map[string][]string{}}
	for _, target := range []string{"chat", "git", "wiki"} {
		rows, err := p.db.Accounts(p.t.Context(), target, "", 1000)
		p.must(err)
		for _, r := range rows {
			if r.Applied == nil || !r.Applied.Active {
				continue
			}
			for _, group := range append([]string{""}, r.Applied.Groups...) {
				out.had[target+":"+group] = append(out.had[target+":"+group], r.Identity)
			}
		}
	}
	p.must(p.db.View(p.t.Context(), func(tx *store.Tx) error {
		ids, err := p.db.IdentityIDs(p.t.Context(), "", 1000)
		if err != nil {
			return err
		}
		grants, err := tx.Grants(ids)
		for _, id := range ids {
			for _, g := range grants[id] {
				out.held[g.Role] = append(out.held[g.Role], id)
			}
		}
		return err
	}))
	return out
}

// TestEvidenceIsTrue: of each moment of a random history the evidence names exactly those
// who had access then, though people have left, came back and were erased since; and its
// reasons are those that explain gives.
func TestEvidenceIsTrue(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := newPast(t, dialect, 7)
			var log []truth
			for range 25 {
				p.clock.Add(time.Duration(1+p.dice.Int64N(int64(30*time.Hour/time.Microsecond))) * time.Microsecond)
				for range 1 + p.dice.IntN(3) {
					p.happen()
				}
				p.settle()
				log = append(log, p.truth())
			}
			for range 10 {
				p.compareWithExplain(log[p.dice.IntN(len(log))].at, p.one("chat", "git", "wiki"))
			}
			p.clock.Add(time.Hour)
			p.erase("p1")
			p.erase("p4")
			asked := 0
			for _, then := range log {
				for what, want := range then.had {
					if p.dice.IntN(6) == 0 {
						asked++
						p.compareAccess(then.at, what, want)
					}
				}
				for role, want := range then.held {
					if p.dice.IntN(6) == 0 {
						p.compareRole(then.at, role, want)
					}
				}
			}
			if asked < 20 {
				t.Errorf("only %d questions", asked)
			}
			p.compareSpans(log)
		})
	}
}

// erase has somebody leave and be erased.
func (p *past) erase(name string) {
	p.t.Helper()
	if id, ok := p.users[name]; ok {
		p.must(p.Delete(p.t.Context(), hub.Actor{Source: "hr", Name: "main"}, kind("User"), id, func(scim.Meta) error { return nil }))
		delete(p.users, name)
	}
	p.finish()
	var id string
	p.must(p.db.View(p.t.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(name)
		id = row.ID
		return err
	}))
	_, err := p.Erase(p.t.Context(), hub.Actor{Name: "ops"}, id, true)
	p.must(err)
	p.evaluateAll()
}

// finish lets the targets do everything that is due, or held.
func (p *past) finish() {
	p.t.Helper()
	p.evaluateAll()
	for _, target := range []string{"chat", "git", "wiki"} {
		rows, err := p.db.Accounts(p.t.Context(), target, "", 1000)
		p.must(err)
		var done []store.Settlement
		for _, row := range rows {
			if row.Due || row.State == model.StateHeld {
				row.Due, row.State, row.LastError, row.ErrorClass, row.Owned, row.RemoteID = false, model.StateInSync, "", "", model.OwnedCreated, "r-"+row.Identity
				if row.Applied = row.Desired; row.Desired == nil {
					row.State, row.Applied = model.StateDisabled, &model.Account{UserName: "gone"}
				}
				done = append(done, store.Settlement{Row: row})
			}
		}
		p.must(p.db.Settle(p.t.Context(), target, done))
	}
}

// evaluateAll evaluates what is marked.
func (p *past) evaluateAll() {
	for range 100 {
		n, err := p.EvaluateBatch(p.t.Context())
		p.must(err)
		if n == 0 {
			return
		}
	}
}

func atMoment(moment time.Time) string {
	return "&at=" + url.QueryEscape(moment.Format(time.RFC3339Nano))
}

func identities(items []admin.AccessEvidence) []string {
	seen := map[string]bool{}
	for _, e := range items {
		seen[e.Identity] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

func (p *past) compareAccess(moment time.Time, what string, want []string) {
	p.t.Helper()
	target, group, _ := strings.Cut(what, ":")
	got := evidence[admin.AccessEvidence](p, "/evidence/access?target="+target+"&group="+url.QueryEscape(group)+atMoment(moment), 1+p.dice.IntN(5))
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), identities(got)); diff != "" {
		p.t.Errorf("who had %s at %s (-who did, +who is named):\n%s", what, moment, diff)
	}
	for _, e := range got {
		if e.Erased && (e.UserName != "" || strings.Contains(fmt.Sprint(e), `"p`)) {
			p.t.Errorf("of somebody erased it says %+v", e)
		}
		if !e.Erased && e.Role != "" && len(e.Because) == 0 {
			p.t.Errorf("no reason: %+v", e)
		}
	}
}

func (p *past) compareRole(moment time.Time, role string, want []string) {
	p.t.Helper()
	got := evidence[admin.AccessEvidence](p, "/evidence/access?role="+role+atMoment(moment), 1+p.dice.IntN(5))
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), identities(got)); diff != "" {
		p.t.Errorf("who held %s at %s (-who did, +who is named):\n%s", role, moment, diff)
	}
}

// compareWithExplain: with all, evidence has what explain has of everybody.
func (p *past) compareWithExplain(moment time.Time, target string) {
	p.t.Helper()
	lines := func(identity, group, role, by string, why []admin.BecauseView, from, until *time.Time, state any) string {
		text, err := json.Marshal([]any{identity, group, role, by, why, from, until, state})
		p.must(err)
		return string(text)
	}
	var want, got []string
	for i := range 6 {
		var answer admin.ExplainAnswer
		p.must(json.Unmarshal(p.read(fmt.Sprintf("/identities/p%d/explain?%s", i, atMoment(moment)[1:])), &answer))
		for _, e := range answer.Items {
			if e.Target == target {
				want = append(want, lines(e.Identity, e.Group, e.Role, e.ApprovedBy, e.Because, e.From, e.Until, e.State))
			}
		}
	}
	for _, e := range evidence[admin.AccessEvidence](p, "/evidence/access?all=true&target="+target+atMoment(moment), 3) {
		got = append(got, lines(e.Identity, e.Group, e.Role, e.ApprovedBy, e.Because, e.Since, e.Until, e.State))
	}
	sort.Strings(want)
	sort.Strings(got)
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("%s at %s (-explain, +evidence):\n%s", target, moment, diff)
	}
}

// compareSpans: over a span of time somebody is named where they had access at a moment of
// it, from when on and until when.
func (p *past) compareSpans(log []truth) {
	p.t.Helper()
	from, until := log[3].at, log[len(log)-5].at
	items := evidence[admin.AccessEvidence](p, "/evidence/access?target=git&from="+url.QueryEscape(from.Format(time.RFC3339Nano))+"&until="+url.QueryEscape(until.Format(time.RFC3339Nano)), 4)
	if len(items) == 0 {
		p.t.Fatal("nobody ever had access")
	}
	for _, then := range log[3 : len(log)-4] {
		had := map[string][]string{}
		for _, e := range items {
			if (e.AccessFrom == nil || !e.AccessFrom.After(then.at)) && (e.AccessUntil == nil || e.AccessUntil.After(then.at)) && !slices.Contains(had["git:"+e.Group], e.Identity) {
				had["git:"+e.Group] = append(had["git:"+e.Group], e.Identity)
			}
		}
		for what, want := range then.had {
			if strings.HasPrefix(what, "git:") {
				if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(had[what]))); diff != "" {
					p.t.Fatalf("%s at %s, of a span (-who did, +who is named):\n%s", what, then.at, diff)
				}
			}
		}
	}
}

// TestEvidenceForms: CSV and JSON lines have what the pages have, and end with a digest
// of what is before.
func TestEvidenceForms(t *testing.T) {
	t.Parallel()
	p := newPast(t, storetest.SQLite, 3)
	p.clock.Add(time.Hour)
	p.replace("p1", map[string]any{"userName": "=cmd()|x", "active": true, "title": "Sales"})
	p.evaluateAll()
	items := evidence[admin.AccessEvidence](p, "/evidence/access?target=chat&all=true", 2)
	if len(items) == 0 {
		t.Fatal("nobody has access")
	}
	body := p.read("/evidence/access?target=chat&all=true&format=csv")
	table, last := cutLast(t, string(body))
	if sum := sha256.Sum256([]byte(table)); last != "# sha256: "+hex.EncodeToString(sum[:]) {
		t.Errorf("the digest does not fit: %s", last)
	}
	r := csv.NewReader(strings.NewReader(table))
	r.Comment, r.FieldsPerRecord = '#', 16
	rows, err := r.ReadAll()
	p.must(err)
	if len(rows) != len(items)+1 {
		t.Errorf("%d rows of %d items", len(rows), len(items))
	}
	if !strings.Contains(table, "'=cmd()") || strings.Contains(table, ",=cmd") || !strings.Contains(table, fmt.Sprintf("# count: %d\n", len(items))) {
		t.Errorf("a formula, or no count:\n%s", table)
	}
	body = p.read("/evidence/access?target=chat&all=true&format=jsonl")
	table, last = cutLast(t, string(body))
	sum := sha256.Sum256([]byte(table))
	if want := fmt.Sprintf(`{"count":%d,"sha256":"%x"}`, len(items), sum); last != want {
		t.Errorf("%s, want %s", last, want)
	}
}

func cutLast(t *testing.T, text string) (before, last string) {
	t.Helper()
	text = strings.TrimSuffix(text, "\n")
	i := strings.LastIndex(text, "\n") + 1
	return text[:i], text[i:]
}

// TestEvidenceOfAPerson: every change once, in order, however small the pages.
func TestEvidenceOfAPerson(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := newPast(t, dialect, 11)
			for range 12 {
				p.clock.Add(time.Duration(1+p.dice.IntN(40)) * time.Hour)
				p.happen()
				p.push("p2")
				p.settle()
			}
			all := evidence[admin.ChangeEvidence](p, "/evidence/person/p2?x=", 1000)
			if small := evidence[admin.ChangeEvidence](p, "/evidence/person/p2?x=", 3); !cmp.Equal(all, small) {
				t.Errorf("pages of 3 differ from one page:\n%s", cmp.Diff(all, small))
			}
			if !slices.IsSortedFunc(all, func(a, b admin.ChangeEvidence) int { return a.At.Compare(b.At) }) {
				t.Error("the order is not that of time")
			}
			kinds := map[string]int{}
			for _, c := range all {
				kinds[c.Kind]++
				if c.Text == "" || c.What == "" {
					t.Errorf("nothing is said: %+v", c)
				}
			}
			for kind, query := range map[string]string{
				"facts":   `SELECT count(*) FROM identity_history WHERE identity_id = (SELECT id FROM identities WHERE name = 'p2')`,
				"account": `SELECT count(*) FROM account_history WHERE identity_id = (SELECT id FROM identities WHERE name = 'p2')`,
				"audit":   `SELECT count(*) FROM audit WHERE identity_id = (SELECT id FROM identities WHERE name = 'p2')`,
				"event":   `SELECT count(*) FROM events WHERE identity_id = (SELECT id FROM identities WHERE name = 'p2')`,
				"grant":   `SELECT count(*) + count(ended_at) FROM grants WHERE identity_id = (SELECT id FROM identities WHERE name = 'p2')`,
			} {
				if n := p.db.Int(t, query); kinds[kind] != n || n == 0 {
					t.Errorf("%d changes of kind %s, want %d", kinds[kind], kind, n)
				}
			}
		})
	}
}
