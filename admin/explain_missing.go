package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// The codes of Missing.
const (
	missingStage    = "stage"    // not with the organisation, or not yet
	missingCase     = "case"     // it is not decided who the resource is
	missingNothing  = "nothing"  // no role gives it
	missingDenied   = "denied"   // a deny rule or a conflict takes the role
	missingRequest  = "request"  // a request waits
	missingRule     = "rule"     // the rule does not match
	missingAsk      = "ask"      // nobody asked
	missingScope    = "scope"    // the target does not take this person
	missingFailed   = "failed"   // it could not be decided
	missingPending  = "pending"  // not evaluated yet
	missingInactive = "inactive" // due later
)

// Missing is one reason why a person does not have what was asked about.
type Missing struct {
	Code    string `json:"code"`
	Role    string `json:"role,omitempty"`
	Request string `json:"request,omitempty"`
	Message string `json:"message"`
}

// whyNot says why a person does not have an entitlement, as far as it is known.
func (a *API) whyNot(tx *store.Tx, m momentOf, target, group string) ([]Missing, error) {
	snap := a.Hub.Snapshot()
	if m.past {
		v, ok, err := tx.ConfigAt(m.at)
		if err != nil {
			return nil, err
		}
		if !ok {
			return []Missing{{Code: missingNothing, Message: "no configuration was active then"}}, nil
		}
		if snap == nil || snap.Version != v.Version {
			if snap, err = hub.Compile(v.Version, "configuration", []byte(v.Body), nil); err != nil {
				return nil, err
			}
		}
	}
	if _, ok := snap.Doc.Target(target); !ok {
		return nil, model.Fail(model.NotFound, fmt.Sprintf("there is no target %q", target), nil)
	}
	w := absence{momentOf: m, snap: snap, target: target, group: group}
	if !m.past {
		planned, err := a.Hub.DecideAll(tx, snap, []string{m.row.ID})
		if err != nil {
			return nil, err
		}
		for _, p := range planned {
			w.decided(p.Decision)
		}
	}
	w.reasons()
	return w.out, nil
}

// absence looks for the reasons.
type absence struct {
	momentOf
	snap          *hub.Snapshot
	target, group string
	findings      []model.Finding
	out           []Missing
}

func (w *absence) add(code, role, format string, args ...any) {
	w.out = append(w.out, Missing{Code: code, Role: role, Message: fmt.Sprintf(format, args...)})
}

// decided replaces what is stored by what would be decided this moment.
func (w *absence) decided(d hub.Decision) {
	w.findings, w.doc.Denied = d.Findings, d.Denied
	if want, ok := d.Desired[w.target]; ok && want.Account != nil && (w.group == "" || slices.Contains(want.Account.Groups, w.group)) {
		w.add(missingPending, "", "it is due by now and has not been worked out yet: somebody changed what it rests on a moment ago")
	}
	i := d.Identity
	w.doc.Stage, w.doc.StartsAt, w.doc.EndsAt, w.doc.LeaveFrom, w.doc.LeaveUntil = d.Stage, i.StartsAt, i.EndsAt, i.LeaveFrom, i.LeaveUntil
	w.doc.User, w.doc.Origin, w.doc.Groups = i.User, i.Origin, i.Groups
}

func (w *absence) reasons() {
	if len(w.out) > 0 {
		return
	}
	w.stage()
	switch w.doc.Stage {
	case model.Prehire, model.Leaver, model.Purged: // no rule is asked
		return
	}
	if w.doc.Blocked {
		w.add(missingCase, "", "%s could be one of several people: nothing is given before a person has decided who it is", w.doc.Name)
	}
	roles := w.roles()
	if len(roles) == 0 {
		w.add(missingNothing, "", "no role gives %s", w.what())
	}
	for _, r := range roles {
		w.role(r)
	}
	for _, f := range w.findings {
		if f.Kind == model.FindingMapping && f.Subject == w.target {
			w.add(missingFailed, "", "%s", f.Message)
		}
	}
}

func (w *absence) what() string {
	if w.group == "" {
		return "an account at " + w.target
	}
	return w.target + ":" + w.group
}

func (w *absence) stage() {
	zone := w.snap.Doc.Identity.Zone
	day := func(t *time.Time) string {
		if t == nil {
			return "an unknown day"
		}
		return t.In(zone).Format(time.RFC3339)
	}
	switch w.doc.Stage {
	case model.Prehire:
		w.add(missingStage, "", "%s is a prehire: the first day is %s", w.doc.Name, day(w.doc.StartsAt))
	case model.Leaver:
		since := w.doc.LeftAt
		if w.doc.EndsAt != nil && !w.at.Before(*w.doc.EndsAt) {
			since = w.doc.EndsAt
		}
		w.add(missingStage, "", "%s is a leaver since %s", w.doc.Name, day(since))
	case model.Purged:
		w.add(missingStage, "", "the person was erased")
	case model.Leave:
		w.add(missingStage, "", "%s is on leave since %s: nobody gets new access while away", w.doc.Name, day(w.doc.LeaveFrom))
	case "":
		w.add(missingStage, "", "%s has not been evaluated yet", w.doc.Name)
	}
}

// roles are those that would give it.
func (w *absence) roles() (out []config.Role) {
	for _, r := range w.snap.Doc.Roles {
		if slices.ContainsFunc(w.snap.Policy.Entitlements(r.Name), func(e model.Entitlement) bool {
			return e.Target == w.target && (w.group == "" || e.Group == w.group)
		}) {
			out = append(out, r)
		}
	}
	return out
}

// role says why one role does not give it.
func (w *absence) role(r config.Role) {
	if slices.ContainsFunc(w.doc.Grants, func(g store.HistoryGrant) bool { return g.Role == r.Name }) {
		w.scope(r.Name)
		return
	}
	before := len(w.out)
	for _, d := range w.doc.Denied {
		if d.Role == r.Name {
			w.add(missingDenied, r.Name, "role %s is denied: %s", r.Name, deniedText(d))
		}
	}
	for _, f := range w.findings {
		if f.Subject == r.Name && (f.Kind == model.FindingRule || f.Kind == model.FindingConflict || f.Kind == model.FindingApproval) {
			w.add(missingFailed, r.Name, "%s", f.Message)
		}
	}
	for _, q := range w.doc.Requests {
		if q.Role == r.Name && q.State == model.RequestPending {
			w.out = append(w.out, Missing{Code: missingRequest, Role: r.Name, Request: q.ID, Message: "request " + q.ID + " for role " + r.Name + " waits for " + waitsFor(q)})
		}
		if q.Role == r.Name && q.State == model.RequestApproved && q.From != nil && w.at.Before(*q.From) {
			w.out = append(w.out, Missing{Code: missingInactive, Role: r.Name, Request: q.ID, Message: "request " + q.ID + " for role " + r.Name + " is approved from " + q.From.Format(time.RFC3339)})
		}
	}
	if len(w.out) > before {
		return
	}
	if r.When != "" {
		w.add(missingRule, r.Name, "the rule of role %s does not match: %s%s", r.Name, strings.Join(strings.Fields(r.When), " "), w.factsOf(r.Name))
	}
	if r.Request != nil {
		w.add(missingAsk, r.Name, "role %s can be asked for: scimhub request create %s --for %s", r.Name, r.Name, w.doc.Name)
	}
}

// scope says why a role that is held gives nothing at the target.
func (w *absence) scope(role string) {
	in, err := w.snap.Policy.InScope(w.target, model.Identity{ID: w.row.ID, User: w.doc.User, Origin: w.doc.Origin, Groups: w.doc.Groups})
	switch {
	case err != nil:
		w.add(missingFailed, role, "%s", err.Error())
	case !in:
		t, _ := w.snap.Doc.Target(w.target)
		w.add(missingScope, role, "role %s is held, and the scope of %s leaves %s out: %s", role, w.target, w.doc.Name, strings.Join(strings.Fields(t.Scope), " "))
	}
}

// factsOf are the attributes that a rule reads, with their values and where these come
// from.
func (w *absence) factsOf(role string) string {
	var parts []string
	for _, path := range w.snap.Policy.Reads(role) {
		top := path
		if !strings.HasPrefix(path, "urn:") {
			top, _, _ = strings.Cut(path, ".")
		} else if n := strings.LastIndex(path, ":"); n > 0 {
			top = path[:n]
		}
		name := path
		if n := strings.LastIndex(path, ":"); n > 0 {
			name = path[n+1:]
		}
		text := "no " + name
		if path == "groups" {
			names := make([]string, len(w.doc.Groups))
			for i, g := range w.doc.Groups {
				names[i] = g.Display
			}
			text = fmt.Sprintf("groups are %q", names)
		} else if v := valueAt(w.doc.User, path, top); v != nil {
			text = fmt.Sprintf("%s is %s", name, valueText(v))
			if source := w.doc.Origin[top]; source != "" {
				text += " from " + source
			} else if source := w.doc.Origin[path]; source != "" {
				text += " from " + source
			}
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// valueAt finds an attribute, or one of an extension, or a part of a complex one.
func valueAt(user map[string]any, path, top string) any {
	v := user[top]
	rest := strings.TrimLeft(strings.TrimPrefix(path, top), ".:")
	for rest != "" {
		var step string
		step, rest, _ = strings.Cut(rest, ".")
		inner, ok := v.(map[string]any)
		if !ok {
			return v
		}
		v = inner[step]
	}
	return v
}

func valueText(v any) string {
	const most = 80
	text := fmt.Sprint(v)
	if s, ok := v.(string); ok {
		text = fmt.Sprintf("%q", s)
	}
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}

func deniedText(d model.Denied) string {
	texts := make([]string, len(d.Because))
	for i, r := range d.Because {
		texts[i] = policy.ReasonText(r)
	}
	if len(texts) == 0 {
		return "by a rule or a conflict"
	}
	return strings.Join(texts, "; ")
}

// waitsFor names who has to decide.
func waitsFor(q model.Request) string {
	if q.Step >= len(q.Steps) {
		return "its time"
	}
	s := q.Steps[q.Step]
	word := " or "
	if s.All {
		word = " and "
	}
	return strings.Join(append(slices.Clone(s.Approvers), s.Escalated...), word)
}
