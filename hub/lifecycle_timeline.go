package hub

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// maxFacts limits the facts that one event lists.
const maxFacts = 20

// Fact is an attribute that differs between two evaluations; nil is unassigned.
type Fact struct {
	Attribute string `json:"attribute"`
	From      any    `json:"from,omitempty"`
	To        any    `json:"to,omitempty"`
	Source    string `json:"source,omitempty"` // that says so now, or said so last
}

// eventOf names what happened to a person: see Transition; or, where stage and roles
// are as they were, that they have another name or end at another time.
//
//	extended    the end lies later than it did, or is gone
//	shortened   the end lies earlier than it did, or is new
//	rename      the userName differs
//
// Ends are compared as the present configuration reads them, so that a change of its
// zone is nobody's extension.
func (d *Decision) eventOf(snap *Snapshot, k Known) string {
	if event := Transition(k.Row.Stage, d.Stage, d.Gained, d.Lost); event != "" || k.Row.Stage == "" || len(d.Identity.Links) == 0 {
		return event
	}
	was, unclear := datesOf(snap.Doc.Identity, k.Row.User)
	end := d.Identity.EndsAt
	dated := len(unclear) == 0 && !slices.ContainsFunc(d.Findings, func(f model.Finding) bool { return f.Kind == model.FindingDate })
	switch {
	case dated && was.end != nil && (end == nil || was.end.Before(*end)):
		return "extended"
	case dated && end != nil && (was.end == nil || end.Before(*was.end)):
		return "shortened"
	}
	if from, _ := k.Row.User["userName"].(string); from != "" && d.Identity.User["userName"] != from {
		return "rename"
	}
	return ""
}

// timeline adds the event, if there is one, and gives the audit entries: what was
// gained, kept and lost, and the facts that changed.
func (h *Hub) timeline(tx *store.Tx, snap *Snapshot, d Decision, k Known, next store.IdentityRow) ([]store.AuditEntry, error) {
	if d.Event == "" && len(d.Gained)+len(d.Lost) == 0 {
		return nil, nil
	}
	event := d.Event
	if event == "" {
		event = "roles"
	}
	data, source := d.happened(snap, k, next)
	if next.OverGuard && !k.Row.OverGuard {
		if err := tellHeldLeavers(tx, next.LeftSource); err != nil {
			return nil, err
		}
	}
	if err := tx.AddEvent(store.Event{Type: "identity." + event, Source: source, Identity: d.Identity.ID, Data: data}); err != nil {
		return nil, err
	}
	body, err := json.Marshal(data)
	return []store.AuditEntry{{Actor: "hub", Action: "identity." + event, Object: "identity/" + d.Identity.ID, Identity: d.Identity.ID, Data: body}}, err
}

// happened is the data of an event, and the source on whose word it rests: empty
// where several spoke, or a date or a rule.
func (d *Decision) happened(snap *Snapshot, k Known, next store.IdentityRow) (data map[string]any, source string) {
	data = map[string]any{"stage": d.Stage, "before": k.Row.Stage, "version": snap.Version}
	list := func(key string, roles []string) {
		if len(roles) > 0 {
			data[key] = roles
		}
	}
	list("gained", d.Gained)
	list("lost", d.Lost)
	kept, handedOver := d.keeps()
	list("kept", kept)
	list("handed_over", handedOver)
	if next.OverGuard {
		data["held"] = "more leavers at the source than its guard allows"
	}
	if next.LeftPlanned {
		data["planned"] = true
	}
	byConfig := d.Stage == model.Leaver && next.LeftSource == leftByConfig
	if byConfig {
		data["by_configuration"] = true
	} else {
		source = next.LeftSource
	}
	facts, more := d.changedFacts(snap, k)
	if more > 0 {
		data["more_facts"] = more
	}
	if len(facts) > 0 {
		data["facts"] = facts
		one := facts[0].Source
		if source == "" && !byConfig && !slices.ContainsFunc(facts, func(f Fact) bool { return f.Source != one }) {
			source = one
		}
	}
	return data, source
}

// keeps are the roles that stay: as they were, and for a while only, so that work can
// be handed over.
func (d *Decision) keeps() (kept, handedOver []string) {
	for _, g := range d.Grants {
		switch {
		case slices.ContainsFunc(g.Because, func(r model.Reason) bool { return r.HandOver }):
			handedOver = append(handedOver, g.Role)
		case !slices.Contains(d.Gained, g.Role):
			kept = append(kept, g.Role)
		}
	}
	slices.Sort(kept)
	slices.Sort(handedOver)
	return kept, handedOver
}

// changedFacts are the attributes that differ from the last evaluation, of those that
// name the person, that rules read and that the lifecycle rests on, in order of their
// names; more is how many are left out. What is never returned is concealed.
func (d *Decision) changedFacts(snap *Snapshot, k Known) (facts []Fact, more int) {
	if k.Row.Stage == "" || len(d.Identity.Links) == 0 {
		return nil, 0
	}
	user, _ := snap.Doc.Registry.Type("User")
	was, is := byPath(user, k.Row.User), byPath(user, d.Identity.User)
	both := maps.Clone(was)
	maps.Copy(both, is)
	telling := d.telling(snap, k)
	for _, path := range slices.Sorted(maps.Keys(both)) {
		if !telling(path) || sameValue(was[path], is[path]) {
			continue
		}
		if len(facts) == maxFacts {
			more++
			continue
		}
		facts = append(facts, Fact{path, was[path], is[path], originOf(path, d.Identity.Origin, k.Row.Origin)})
	}
	return facts, more
}

func sameValue(a, b any) bool {
	return reflect.DeepEqual(a, b) || sameDocument(map[string]any{"": a}, map[string]any{"": b})
}

func originOf(path string, origins ...map[string]string) string {
	for _, origin := range origins {
		top, _, _ := strings.Cut(path, ".")
		for _, key := range []string{path, top} {
			if s := origin[key]; s != "" {
				return s
			}
		}
	}
	return ""
}

// byPath gives the values of a merged user by path, lists as a whole.
func byPath(t *scim.ResourceType, user map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range user {
		if key == "schemas" {
			continue
		}
		if t != nil {
			v = t.Conceal(key, v)
		}
		parts, object := v.(map[string]any)
		if !object {
			out[key] = v
			continue
		}
		between := "."
		if strings.HasPrefix(strings.ToLower(key), "urn:") {
			between = ":"
		}
		for name, value := range parts {
			out[key+between+name] = value
		}
	}
	return out
}

// naming are attributes that say who somebody is and what for, whoever reads them.
var naming = []string{"userName", "displayName", "name", "externalId", "active", "title", "userType"}

// telling reports which paths belong into an event.
func (d *Decision) telling(snap *Snapshot, k Known) func(path string) bool {
	c := snap.Doc.Identity
	wanted := map[string]bool{}
	for _, a := range naming {
		wanted[strings.ToLower(a)] = true
	}
	for _, p := range slices.Concat([]string{c.Start, c.End, c.Last, c.Leave.From, c.Leave.Until, c.Number}, c.Required) {
		wanted[strings.ToLower(strings.TrimPrefix(p, scim.URNUser+":"))] = true
	}
	for _, g := range slices.Concat(k.Held, d.Grants) {
		for _, r := range g.Because {
			for name := range r.Facts {
				wanted[strings.ToLower(factPath(name))] = true
			}
		}
	}
	enterprise := strings.ToLower(scim.URNEnterprise)
	return func(path string) bool {
		path = strings.ToLower(path)
		top, _, _ := strings.Cut(path, ".")
		return wanted[path] || wanted[top] && !strings.HasPrefix(path, "urn:") || strings.HasPrefix(path, enterprise+":")
	}
}

// factPath is the path of byPath that a fact of a reason belongs to.
func factPath(name string) string {
	name, _, _ = strings.Cut(name, "[")
	if rest, ok := strings.CutPrefix(name, "enterprise."); ok {
		part, _, _ := strings.Cut(rest, ".")
		return scim.URNEnterprise + ":" + part
	}
	return name
}
