package hub

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

const preventing = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  pays: {request: {approve: [manager]}, grants: [{target: chat}]}
  approves: {request: {approve: [manager]}, grants: [{target: chat}]}
  treasurer: {request: {approve: [manager]}, inherits: [approves]}
  reads: {when: 'user.active'}
  audits: {request: {approve: [manager]}}
  books: {when: 'user.active'}
conflicts:
  - {name: payments, roles: [pays, approves]}
  - {roles: [reads, pays], action: report}
  - {roles: [audits, books, pays], action: approve, approve: ["role:reads", manager]}
  - {roles: [audits, reads], action: approve}
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`

func TestPreventConflict(t *testing.T) {
	t.Parallel()
	doc, faults := config.Parse("hub.yaml", []byte(preventing))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	day := func(n int) *time.Time { at := now.AddDate(0, 0, n); return &at }
	held := func(role string, until *time.Time) model.Grant {
		return model.Grant{Role: role, From: now.AddDate(0, 0, -9), Until: until, Because: []model.Reason{{Role: role}}}
	}
	asked := func(role string, state model.RequestState, from, until *time.Time) model.Request {
		return model.Request{ID: "q-" + role, Role: role, State: state, From: from, Until: until}
	}
	exempt := func(from, until int, roles ...string) model.Exception {
		return model.Exception{ID: "e", Roles: roles, From: *day(from), Until: *day(until)}
	}
	ended := exempt(0, 9, "approves", "pays")
	ended.EndedAt = day(0)
	over := held("pays", day(5))
	over.Because[0].HandOver = true
	for name, tt := range map[string]struct {
		k     Known
		role  string
		from  int
		until *time.Time
		want  string // in the refusal
		extra string
	}{
		"nothing held":           {Known{}, "pays", 0, nil, "", ""},
		"held for ever":          {Known{Held: []model.Grant{held("approves", nil)}}, "pays", 0, day(3), "approves is held from 2027-02-20T12:00:00Z without an end", ""},
		"held until then":        {Known{Held: []model.Grant{held("approves", day(2))}}, "pays", 2, nil, "", ""},
		"held a little longer":   {Known{Held: []model.Grant{held("approves", day(3))}}, "pays", 2, nil, "until 2027-03-04", ""},
		"ended":                  {Known{Held: []model.Grant{held("approves", day(0))}}, "pays", 0, nil, "", ""},
		"itself":                 {Known{Held: []model.Grant{held("pays", nil)}}, "pays", 0, nil, "", ""},
		"in the past counts now": {Known{Held: []model.Grant{held("approves", day(1))}}, "pays", -5, nil, "payments", ""},
		"for hand-over":          {Known{Held: []model.Grant{over}}, "approves", 0, nil, "", ""},
		"pending":                {Known{Requests: []model.Request{asked("approves", model.RequestPending, nil, nil)}}, "pays", 0, day(3), "approves is asked for", ""},
		"approved for later":     {Known{Requests: []model.Request{asked("approves", model.RequestApproved, day(5), day(9))}}, "pays", 0, day(5), "", ""},
		"approved for then":      {Known{Requests: []model.Request{asked("approves", model.RequestApproved, day(5), day(9))}}, "pays", 0, day(6), "approves is approved from 2027-03-06T12:00:00Z until 2027-03-10T12:00:00Z", ""},
		"between two":            {Known{Requests: []model.Request{asked("approves", model.RequestApproved, day(5), day(9)), asked("approves", model.RequestApproved, nil, day(2))}}, "pays", 2, day(5), "", ""},
		"denied":                 {Known{Requests: []model.Request{asked("approves", model.RequestDenied, nil, nil)}}, "pays", 0, nil, "", ""},
		"includes the other":     {Known{Held: []model.Grant{held("pays", nil)}}, "treasurer", 0, nil, "treasurer, which includes approves, cannot be held together with pays", ""},
		"held through another":   {Known{Held: []model.Grant{held("treasurer", nil)}}, "pays", 0, nil, "treasurer, which includes approves, is held", ""},
		"report refuses nothing": {Known{Held: []model.Grant{held("reads", nil)}}, "pays", 0, nil, "", ""},
		"more have to approve":   {Known{Held: []model.Grant{held("books", nil)}}, "audits", 0, day(9), "", "role:reads manager; audits books"},
		"two of three":           {Known{Held: []model.Grant{held("books", nil), held("pays", nil)}}, "audits", 0, day(9), "", "role:reads manager; audits books pays"},
		"nobody can approve":     {Known{Held: []model.Grant{held("reads", nil)}}, "audits", 0, nil, "audits cannot be held together with reads", ""},
		"refused before all":     {Known{Held: []model.Grant{held("books", nil), held("approves", nil)}}, "pays", 0, nil, "payments", ""},
		"excepted":               {Known{Held: []model.Grant{held("approves", nil)}, Exceptions: []model.Exception{exempt(0, 9, "approves", "pays")}}, "pays", 0, day(9), "", ""},
		"excepted not for long":  {Known{Held: []model.Grant{held("approves", nil)}, Exceptions: []model.Exception{exempt(0, 9, "approves", "pays")}}, "pays", 0, day(10), "payments", ""},
		"excepted, no end":       {Known{Held: []model.Grant{held("approves", nil)}, Exceptions: []model.Exception{exempt(0, 9, "approves", "pays")}}, "pays", 0, nil, "payments", ""},
		"excepted one by one":    {Known{Held: []model.Grant{held("approves", nil)}, Exceptions: []model.Exception{exempt(5, 9, "approves", "pays"), exempt(0, 5, "approves", "pays")}}, "pays", 0, day(9), "", ""},
		"excepted with a gap":    {Known{Held: []model.Grant{held("approves", nil)}, Exceptions: []model.Exception{exempt(6, 9, "approves", "pays"), exempt(0, 5, "approves", "pays")}}, "pays", 0, day(9), "payments", ""},
		"an ended exception":     {Known{Held: []model.Grant{held("approves", nil)}, Exceptions: []model.Exception{ended}}, "pays", 0, day(9), "payments", ""},
		"excepted for others":    {Known{Held: []model.Grant{held("approves", nil)}, Exceptions: []model.Exception{exempt(0, 9, "books", "pays")}}, "pays", 0, day(9), "payments", ""},
		"end of held is enough":  {Known{Held: []model.Grant{held("approves", day(8))}, Exceptions: []model.Exception{exempt(0, 9, "approves", "pays")}}, "pays", 0, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.k.Row = store.IdentityRow{ID: "i1", Name: "ada"}
			extra, roles, err := preventConflict(doc, tt.k, tt.role, *day(tt.from), tt.until, now)
			if (err != nil) != (tt.want != "") || err != nil && (!strings.Contains(err.Error(), tt.want) || model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "conflict exempt ada ")) {
				t.Errorf("refused: %v; want %q", err, tt.want)
			}
			got := ""
			if len(extra)+len(roles) > 0 {
				got = strings.Join(extra, " ") + "; " + strings.Join(roles, " ")
			}
			if got != tt.extra || !slices.IsSorted(roles) {
				t.Errorf("extra %q, want %q", got, tt.extra)
			}
		})
	}
}
