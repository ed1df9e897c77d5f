package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// Mirrors reports whether a source group is pushed to a target as it is: whether a
// filter of groups.mirror matches it. A group without a name never is, for nobody could
// find it there.
func (e *Engine) Mirrors(target string, m model.Membership) bool {
	if m.Display == "" {
		return false
	}
	doc := map[string]any{"displayname": scim.Fold(m.Display), "id": m.GroupID}
	if m.ExternalID != "" {
		doc["externalid"] = m.ExternalID
	}
	return slices.ContainsFunc(e.mirrors[target], func(f scim.Filter) bool { return f.Match(doc) })
}

// mirror adds the source groups of a person that are pushed to the target as they are.
func (e *Engine) mirror(t model.Target, i model.Identity, because entitled) {
	if len(e.mirrors[t.Name]) == 0 {
		return
	}
	for _, m := range i.Groups {
		if m.Via != nil && t.Groups.Nested == "direct" || !e.Mirrors(t.Name, m) {
			continue
		}
		r := model.Reason{Group: m.Display, Via: m.Via, Sources: map[string]string{"groups": m.Source}, Version: e.version}
		because.add("", r)
		because.add(m.Display, r)
	}
}

// entitled collects reasons by entitlement. Names of groups that differ only by case
// are one group, as SCIM compares displayName (RFC 7643 §8.7.1): the first one counts.
type entitled struct {
	reasons map[string][]model.Reason
	names   map[string]string // folded -> as first written
}

func newEntitled() entitled {
	return entitled{reasons: map[string][]model.Reason{}, names: map[string]string{}}
}

func (e entitled) add(group string, list ...model.Reason) {
	key := scim.Fold(group)
	name, known := e.names[key]
	if !known {
		name = group
		e.names[key] = name
	}
	e.reasons[name] = append(e.reasons[name], list...)
}

// compileMirrors binds the mirror filters, which the configuration has parsed already.
func (c *compiler) compileMirrors() map[string][]scim.Filter {
	group, ok := scim.DefaultRegistry().Type("Group")
	out := map[string][]scim.Filter{}
	if !ok {
		return out
	}
	for _, t := range c.doc.Targets {
		for _, text := range t.Mirror {
			f, err := scim.ParseFilter(text)
			if err != nil {
				continue // reported by the configuration
			}
			if f, err = scim.Bind(f, group); err == nil {
				err = mirrorable(f)
			}
			if err != nil {
				c.faults = append(c.faults, c.doc.Fault(config.Join("targets", t.Name, "groups", "mirror"), fmt.Sprintf("%s: %s", text, err)))
				continue
			}
			out[t.Name] = append(out[t.Name], f)
		}
	}
	return out
}

// mirrorable refuses filters over what is not known of a group where people are decided
// about: a filter that could not be evaluated would match nobody, and take away.
func mirrorable(f scim.Filter) error {
	var paths []scim.Path
	var walk func(scim.Filter)
	walk = func(f scim.Filter) {
		switch n := f.(type) {
		case scim.And:
			for _, t := range n.Terms {
				walk(t)
			}
		case scim.Or:
			for _, t := range n.Terms {
				walk(t)
			}
		case scim.Not:
			walk(n.Term)
		case scim.Compare:
			paths = append(paths, n.Path)
		case scim.Present:
			paths = append(paths, n.Path)
		case scim.ValuePath:
			paths = append(paths, n.Path)
		}
	}
	walk(f)
	for _, p := range paths {
		switch strings.ToLower(p.Attr) {
		case "displayname", "externalid", "id":
			if p.URI == "" {
				continue
			}
		}
		return fmt.Errorf("a source group is chosen by displayName, externalId or id, not by %s", p)
	}
	return nil
}
