package admin_test

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// get sends a request to the API of a past and gives the status and the body.
func (p *past) get(path string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.server.URL+"/api/v1"+path, http.NoBody)
	p.must(err)
	req.Header.Set("Authorization", "Bearer auditor-secret")
	res, err := p.server.Client().Do(req)
	p.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	p.must(err)
	return res.StatusCode, string(body)
}

func (p *past) answer(path string) (a admin.ExplainAnswer) {
	p.t.Helper()
	status, body := p.get(path)
	if status != http.StatusOK {
		p.t.Fatalf("%s: %d %s", path, status, body)
	}
	p.must(json.Unmarshal([]byte(body), &a))
	return a
}

func (p *past) setPerson(name string, attrs map[string]any) {
	p.t.Helper()
	attrs["userName"], attrs["externalId"] = name, "E-"+name
	if _, ok := attrs["active"]; !ok {
		attrs["active"] = true
	}
	p.replace(name, attrs)
}

func eachPast(t *testing.T, run func(p *past)) {
	t.Helper()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			run(newPast(t, dialect, 7))
		})
	}
}

// TestExplainWhyNot: every reason for not having something is told in words.
func TestExplainWhyNot(t *testing.T) {
	t.Parallel()
	eachPast(t, func(p *past) {
		ops := hub.Who{Name: "ops", Operator: true, Override: true}
		for _, tt := range []struct {
			name, target string
			before       func()
			code, text   string
		}{
			{"rule", "git&group=special-0", func() { p.setPerson("p1", map[string]any{"title": "Sales"}) }, "rule", `title is "Sales" from hr`},
			{"nothing", "git&group=other", func() {}, "nothing", "no role gives git:other"},
			{"ask", "git&group=asked", func() {}, "ask", "scimhub request create asked --for p1"},
			{"request", "git&group=asked", func() {
				_, err := p.AskRequest(p.t.Context(), ops, hub.Ask{Role: "asked", For: "p1", Reason: "x"})
				p.must(err)
			}, "request", "waits for user:p0"},
			{"denied", "git&group=special-0", func() { p.setPerson("p1", map[string]any{"title": "Engineering", "userType": "contractor"}) }, "denied", "denied"},
			{"leaver", "chat", func() { p.setPerson("p1", map[string]any{"active": false}) }, "stage", "is a leaver since"},
		} {
			p.clock.Add(time.Hour)
			tt.before()
			p.settle()
			a := p.answer("/identities/p1/explain?target=" + tt.target)
			found := false
			for _, m := range a.Missing {
				found = found || m.Code == tt.code && strings.Contains(m.Message, tt.text)
			}
			if !found {
				p.t.Errorf("%s: %+v", tt.name, a.Missing)
			}
			// The same is told of that moment later.
			at := url.QueryEscape(p.clock.Now().Format(time.RFC3339))
			p.clock.Add(time.Hour)
			then := p.answer("/identities/p1/explain?at=" + at + "&target=" + tt.target)
			found = false
			for _, m := range then.Missing {
				found = found || m.Code == tt.code
			}
			if !found {
				p.t.Errorf("%s, later: %+v", tt.name, then.Missing)
			}
		}
		for path, want := range map[string]int{"/identities/nobody/explain": 404, "/identities/p1/explain?at=x": 400, "/identities/p1/explain?target=nowhere": 404,
			"/identities/p1/explain?at=2999-01-01": 400, "/identities/p1/explain?at=-1h": 200, "/identities/p1/explain?at=-x": 400} {
			if status, body := p.get(path); status != want {
				p.t.Errorf("%s: %d %s", path, status, body)
			}
		}
		if a := p.answer("/identities/p1/explain?at=2020-01-01"); len(a.Items) > 0 || !strings.Contains(a.Note, "was not known on 2020-01-01T00:00:00Z") {
			p.t.Errorf("before: %+v", a)
		}
	})
}

// TestExplainRequest: who asked, why, and who approved, with an override told as such.
func TestExplainRequest(t *testing.T) {
	t.Parallel()
	eachPast(t, func(p *past) {
		p.setPerson("p1", map[string]any{"title": "Sales"})
		ops := hub.Who{Name: "ops", Operator: true, Override: true}
		r, err := p.AskRequest(p.t.Context(), ops, hub.Ask{Role: "asked", For: "p1", Reason: "the audit of May"})
		p.must(err)
		p.clock.Add(time.Hour)
		_, err = p.DecideRequest(p.t.Context(), ops, r.ID, hub.Verdict{Approve: true, Reason: "fine"})
		p.must(err)
		p.settle()
		a := p.answer("/identities/p1/explain?target=git&group=asked")
		if len(a.Items) != 1 || a.Items[0].Request == nil || a.Items[0].Until == nil {
			p.t.Fatalf("%+v", a)
		}
		q := a.Items[0].Request
		if q.ID != r.ID || q.Reason != "the audit of May" || len(q.Decisions) != 1 || !q.Decisions[0].Override || q.Decisions[0].Reason != "fine" || a.Items[0].ApprovedBy == "" {
			p.t.Errorf("%+v %+v", a.Items[0], q)
		}
	})
}

// TestAuditCSV: what a client wrote is no formula in a spreadsheet.
func TestAuditCSV(t *testing.T) {
	t.Parallel()
	eachPast(t, func(p *past) {
		evil := []string{`=cmd|' /C calc'!A0`, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "fine", ""}
		for _, actor := range evil {
			p.must(p.db.Update(p.t.Context(), func(tx *store.Tx) error {
				return tx.Audit(store.AuditEntry{Actor: actor, Action: "test.csv", Object: actor, Data: []byte(`{"a":"b,\"c"}`)})
			}))
		}
		status, body := p.get("/audit/export?format=csv")
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if status != http.StatusOK || err != nil {
			p.t.Fatal(status, err)
		}
		seen := 0
		for _, row := range rows[1:] {
			for _, c := range row {
				if c != "" && strings.ContainsAny(strings.TrimLeft(c, " ")[:1], "=+-@\t\r\n") {
					p.t.Errorf("cell %q", c)
				}
			}
			if row[2] == "test.csv" {
				seen++
			}
		}
		if seen != len(evil) {
			p.t.Errorf("%d rows of %d", seen, len(evil))
		}
		if status, _ := p.get("/audit/export?format=xml"); status != http.StatusBadRequest {
			p.t.Errorf("format xml: %d", status)
		}
	})
}

// TestExplainBeforeALink: what two identities had before they turned out to be one
// person is told of that person, and under the old id.
func TestExplainBeforeALink(t *testing.T) {
	t.Parallel()
	eachPast(t, func(p *past) {
		p.setPerson("p1", map[string]any{"title": "Sales"})
		p.setPerson("p2", map[string]any{"title": "Sales"})
		p.settle()
		old := p.db.Strings(p.t, `SELECT id FROM identities WHERE name = 'p1'`)[0]
		kept := p.db.Strings(p.t, `SELECT id FROM identities WHERE name = 'p2'`)[0]
		at := url.QueryEscape(p.clock.Now().Format(time.RFC3339))
		before := len(p.answer("/identities/p2/explain").Items)
		p.clock.Add(time.Hour)
		if _, err := p.Link(p.t.Context(), hub.Actor{Name: "ops"}, "p1", "p2", true); err != nil {
			p.t.Fatal(err)
		}
		for n := 1; n > 0; {
			var err error
			n, err = p.EvaluateBatch(p.t.Context())
			p.must(err)
		}
		p.clock.Add(time.Hour)
		named := map[string]int{}
		for _, e := range p.answer("/identities/" + kept + "/explain?at=" + at).Items {
			named[e.UserName]++
			if told := strings.Contains(e.Note, "later to be the same person"); told != (e.UserName == "p1") {
				p.t.Errorf("%s: note %q", e.UserName, e.Note)
			}
		}
		if named["p2"] != before || named["p1"] == 0 {
			p.t.Errorf("then: %v, want %d of p2", named, before)
		}
		for _, e := range p.answer("/identities/" + old + "/explain?at=" + at).Items {
			if e.UserName != "p1" {
				p.t.Errorf("under the old id: %+v", e)
			}
		}
	})
}
