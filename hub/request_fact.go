package hub

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Facts that are no attribute paths.
const (
	factManager = "manager"
	factEnd     = "end"
)

const departmentPath = scim.URNEnterprise + ":department"

// fact is something about a person that an approval may rely on.
type fact struct {
	text   string // for people; empty: there is none
	source string
	known  bool // false: it cannot be told at the moment
}

func (e *requestEnv) fact(path string) fact {
	switch path {
	case factManager:
		m := e.known.Manager
		if m == nil {
			return fact{known: true}
		}
		return fact{m.Name, e.identity.Origin[scim.URNEnterprise+":manager"], m.ID != ""}
	case factEnd:
		if e.identity.EndsAt == nil {
			return fact{known: e.datesOK}
		}
		return fact{text: e.identity.EndsAt.Format(time.RFC3339), known: e.datesOK}
	}
	p, err := scim.ParsePath(path)
	if err != nil {
		return fact{}
	}
	return fact{textAt(e.doc.Registry, e.identity.User, p), sourceOf(e.identity.Origin, p), true}
}

// textAt is the value at a path of a merged user as text; empty where there is none.
func textAt(registry *scim.Registry, user map[string]any, p scim.Path) string {
	if p.Filter != nil { // what filters compare is the form in which they find
		t, ok := registry.Type("User")
		if !ok {
			return ""
		}
		text, _ := valueAt(t, p, t.SearchDoc(scim.Resource{Attrs: user}))
		return text
	}
	value := model.AttributeAt(user, p)
	if p.Sub != "" {
		sub, _ := value.(map[string]any)
		value = model.Member(sub, p.Sub)
	}
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(value) // keys are sorted
	if err != nil {
		return ""
	}
	return string(text)
}

func sourceOf(origin map[string]string, p scim.Path) string {
	keys := []string{p.Attr + "." + p.Sub, p.Attr}
	if p.URI != "" {
		keys = append([]string{p.URI + ":" + p.Attr, p.URI}, keys...)
	}
	for _, key := range keys {
		for have, source := range origin {
			if strings.EqualFold(have, key) {
				return source
			}
		}
	}
	return ""
}

// note keeps the facts that the approval relies on, as they are now.
func (c *requestCase) note() {
	rules, _ := c.config()
	c.noteMoved()
	if len(rules.Lapses) == 0 {
		return
	}
	c.Facts, c.FactSources = model.Facts{}, model.Facts{}
	for _, path := range rules.Lapses {
		if f := c.env.fact(path); f.known {
			c.Facts[path] = f.text
			if f.source != "" {
				c.FactSources[path] = f.source
			}
		}
	}
}

func (c *requestCase) noteMoved() {
	if m := c.env.known.Manager; m != nil && m.ID != "" {
		c.Manager = m.ID
	}
	if f := c.env.fact(departmentPath); f.known && f.text != "" {
		c.Department = f.text
	}
}

// lapsed says which fact that the approval relies on has changed; empty: none has.
// What is not to be had any more because its source no longer describes the person
// has not changed: a source that failed takes nothing away.
func (c *requestCase) lapsed() string {
	rules, _ := c.config()
	for _, path := range rules.Lapses {
		was, noted := c.Facts[path]
		now := c.env.fact(path)
		if !noted || !now.known || strings.EqualFold(was, now.text) || now.text == "" && !c.env.describes(c.FactSources[path]) {
			continue
		}
		if path == factManager && c.env.known.Manager != nil && c.env.known.Manager.ID == c.Manager {
			continue // of another name
		}
		return fmt.Sprintf("%s was %s when %s, now %s", pathWords(path), quoted(path, was), c.approvedWords(), quoted(path, now.text))
	}
	return ""
}

// describes reports whether a source still describes the person. Of what came from no
// particular source any source may say that it is no more.
func (e *requestEnv) describes(source string) bool {
	return source == "" && len(e.known.Users) > 0 || slices.ContainsFunc(e.known.Users, func(u store.SourceUser) bool { return u.Source == source })
}

func (c *requestCase) approvedWords() string {
	if by := c.ApprovedBy(); len(by) > 0 {
		return andList(by) + " approved"
	}
	return "it was granted"
}

func pathWords(path string) string {
	switch path {
	case factEnd:
		return "the end"
	case factManager:
		return path
	}
	if p, err := scim.ParsePath(path); err == nil && p.Filter == nil {
		if p.Sub != "" {
			return p.Attr + "." + p.Sub
		}
		return p.Attr
	}
	return path
}

func quoted(path, text string) string {
	switch {
	case text == "":
		return "none"
	case path == factManager || path == factEnd:
		return text
	}
	return fmt.Sprintf("%q", text)
}

// moved says how the person has moved since somebody said last that they may hold the
// role; empty: they have not. Who has no manager now has nobody who could be asked,
// and moves when there is one.
func (c *requestCase) moved() string {
	m := c.env.known.Manager
	if m == nil || m.ID == "" || m.Circle {
		return ""
	}
	if c.Manager != "" && c.Manager != m.ID {
		return "another manager: " + m.Name
	}
	if f := c.env.fact(departmentPath); c.Department != "" && f.text != "" && !strings.EqualFold(f.text, c.Department) {
		return fmt.Sprintf("another department: %q, before %q", f.text, c.Department)
	}
	return ""
}

// andList puts texts in a sentence.
func andList(list []string) string {
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
}

// datesRead reports whether the dates of a person could be read.
func datesRead(findings []model.Finding) bool {
	return !slices.ContainsFunc(findings, func(f model.Finding) bool { return f.Kind == model.FindingDate })
}
