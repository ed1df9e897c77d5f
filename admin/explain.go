package admin

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// Explanation says why a person has one entitlement, or had it at a moment.
type Explanation struct {
	Identity   string             `json:"identity"`
	UserName   string             `json:"userName"`
	Role       string             `json:"role,omitempty"`
	Because    []BecauseView      `json:"because"`
	ApprovedBy string             `json:"approved_by,omitempty"`
	From       *time.Time         `json:"from,omitempty"`
	Until      *time.Time         `json:"until,omitempty"`
	Target     string             `json:"target"`
	Group      string             `json:"group,omitempty"`
	State      model.AccountState `json:"state,omitempty"` // of the account; empty for a past moment
	LastError  string             `json:"last_error,omitempty"`
	VerifiedAt *time.Time         `json:"verified_at,omitempty"`
	NextReview *time.Time         `json:"next_review,omitempty"`
}

// BecauseView is a reason for programs and, as text, for people.
type BecauseView struct {
	model.Reason
	Text string `json:"text"`
}

// explain answers who has what and why: GET …/explain?target=T&group=G&at=TIME.
func (a *API) explain(r *http.Request, _ Caller) (any, error) {
	q := r.URL.Query()
	var at *time.Time
	if text := q.Get("at"); text != "" {
		t, err := parseMoment(text)
		if err != nil {
			return nil, err
		}
		at = &t
	}
	var out []Explanation
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(mux.Vars(r)["person"])
		if err != nil {
			return err
		}
		if at != nil {
			out, err = explainPast(tx, row, *at)
		} else {
			out, err = explainNow(tx, row)
		}
		return err
	})
	out = slices.DeleteFunc(out, func(e Explanation) bool {
		return q.Get("target") != "" && e.Target != q.Get("target") || q.Get("group") != "" && e.Group != q.Get("group")
	})
	return list(out, ""), err
}

func parseMoment(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, model.Fail(model.Invalid, "at must be a date or an RFC 3339 time: 2026-11-22 or 2026-11-22T10:00:00Z", nil)
}

// explainNow reads the reasons kept with each account: one line for each
// entitlement and role.
func explainNow(tx *store.Tx, row store.IdentityRow) ([]Explanation, error) {
	grants, err := tx.Grants([]string{row.ID})
	if err != nil {
		return nil, err
	}
	accounts, err := tx.AccountsOf([]string{row.ID})
	if err != nil {
		return nil, err
	}
	var out []Explanation
	for _, acc := range accounts {
		if acc.Desired == nil {
			continue
		}
		for group, reasons := range acc.Because {
			for role, list := range byRole(reasons) {
				e := Explanation{Identity: row.ID, UserName: row.Name, Role: role, Target: acc.Target, Group: group, State: acc.State,
					LastError: acc.LastError, VerifiedAt: acc.VerifiedAt, Because: views(list)}
				fillGrant(&e, grants[row.ID])
				out = append(out, e)
			}
		}
	}
	sortExplanations(out)
	return out, nil
}

// byRole groups reasons by the role that carries the entitlement: the end of the
// way of inheritance, or the rule's own role.
func byRole(reasons []model.Reason) map[string][]model.Reason {
	out := map[string][]model.Reason{}
	for _, r := range reasons {
		role := r.Role
		if n := len(r.Via); n > 0 {
			role = r.Via[n-1]
		}
		out[role] = append(out[role], r)
	}
	return out
}

// explainPast rebuilds the entitlements of a moment from the grants of that time
// and the configuration that was active.
func explainPast(tx *store.Tx, row store.IdentityRow, at time.Time) ([]Explanation, error) {
	grants, err := tx.GrantsAt([]string{row.ID}, at)
	if err != nil {
		return nil, err
	}
	v, ok, err := tx.ConfigAt(at)
	if err != nil || !ok {
		return nil, err
	}
	snap, err := hub.Compile(v.Version, "configuration", []byte(v.Body), nil)
	if err != nil {
		return nil, err
	}
	var out []Explanation
	for _, g := range grants[row.ID] {
		for _, ent := range snap.Policy.Entitlements(g.Role) {
			e := Explanation{Identity: row.ID, UserName: row.Name, Role: g.Role, Target: ent.Target, Group: ent.Group, Because: views(g.Because)}
			fillGrant(&e, []model.Grant{g})
			out = append(out, e)
		}
	}
	sortExplanations(out)
	return out, nil
}

func fillGrant(e *Explanation, grants []model.Grant) {
	for _, g := range grants {
		if g.Role == e.Role {
			from := g.From
			e.From, e.Until, e.ApprovedBy = &from, g.Until, g.ApprovedBy
		}
	}
}

func views(list []model.Reason) []BecauseView {
	out := make([]BecauseView, len(list))
	for i, r := range list {
		out[i] = BecauseView{r, policy.ReasonText(r)}
	}
	return out
}

func sortExplanations(list []Explanation) {
	sort.Slice(list, func(i, j int) bool {
		return strings.Join([]string{list[i].Target, list[i].Group, list[i].Role}, "\x00") < strings.Join([]string{list[j].Target, list[j].Group, list[j].Role}, "\x00")
	})
}

// AuditAnswer says whether the audit chain holds.
type AuditAnswer struct {
	Checked int64              `json:"checked"`
	Faults  []store.AuditFault `json:"faults"`
}

func (a *API) verifyAudit(r *http.Request, _ Caller) (any, error) {
	n, faults, err := a.Hub.Store.VerifyAudit(r.Context())
	if faults == nil {
		faults = []store.AuditFault{}
	}
	return AuditAnswer{n, faults}, err
}

func (a *API) audit(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	entries, next, err := a.Hub.Store.AuditPage(r.Context(), store.AuditFilter{Identity: q.Get("identity"), After: q.Get("cursor"), Limit: limit})
	return list(entries, next), err
}
