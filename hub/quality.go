package hub

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const managerPath = scim.URNEnterprise + ":manager"

// quality finds facts that rules rely on and that are missing, impossible or
// contradictory. Nothing follows from them but that somebody is told. Of who has left
// nobody has to put anything right.
func quality(snap *Snapshot, k Known, i model.Identity, stage model.Stage) []model.Finding {
	if !concerns(stage) {
		return nil
	}
	out := append(missing(snap, i), managerFinding(snap.Doc, k, i)...)
	if len(k.Namesakes) > 0 {
		path := snap.Doc.Identity.Number
		out = append(out, model.Finding{Kind: model.FindingNumber, Subject: path, Source: responsible(snap.Doc, i, path),
			Message: fmt.Sprintf("%s %s is that of %s, too", attributeName(path), brief(shownAt(i.User, path)), strings.Join(k.Namesakes, ", "))})
	}
	for _, e := range k.Exceptions {
		if e.EndedAt == nil && e.OwnerStage != model.Active && e.OwnerStage != model.Leave {
			out = append(out, model.Finding{Kind: model.FindingConflict, Subject: "exception " + e.ID, Message: fmt.Sprintf(
				"%s, who answers for the exception by which %s are held together, is not here any more: let somebody else make a new one",
				cmp.Or(e.OwnerName, e.Owner), strings.Join(e.Roles, " and "))})
		}
	}
	return out
}

// concerns reports whether the facts of somebody in a stage matter.
func concerns(stage model.Stage) bool {
	return stage == model.Prehire || stage == model.Active || stage == model.Leave
}

// missing finds facts that are not there: those that rules read, and those that the
// configuration wants of everybody.
func missing(snap *Snapshot, i model.Identity) (out []model.Finding) {
	seen := map[string]bool{}
	add := func(path, text string) {
		if key := scim.Fold(path); !seen[key] {
			seen[key] = true
			source := responsible(snap.Doc, i, path)
			out = append(out, model.Finding{Kind: model.FindingMissing, Subject: path, Source: source,
				Message: attributeName(path) + " is missing" + fromSource(source) + text})
		}
	}
	for _, r := range snap.Policy.Missing(i) {
		text := ", which the rules of " + strings.Join(r.Roles, ", ") + " read"
		if slices.ContainsFunc(snap.Doc.Identity.Required, func(path string) bool { return scim.Fold(path) == scim.Fold(r.Attribute) }) {
			text += "; who holds these roles keeps them meanwhile"
		}
		add(r.Attribute, text)
	}
	for _, path := range snap.Doc.Identity.Required {
		if shownAt(i.User, path) == "" {
			add(path, ", which everybody should have")
		}
	}
	return out
}

func fromSource(source string) string {
	if source == "" {
		return ""
	}
	return " at " + source
}

func managerFinding(doc *config.Document, k Known, i model.Identity) []model.Finding {
	m := k.Manager
	if m == nil {
		return nil
	}
	text := ""
	switch {
	case m.ID == "":
		text = fmt.Sprintf("the manager %q is not to be found", brief(m.Named))
	case m.ID == i.ID:
		text = "is named as their own manager"
	case m.Stage == model.Leaver || m.Stage == model.Purged:
		text = fmt.Sprintf("the manager %s has left", cmp.Or(m.Name, m.Named))
	case m.Circle:
		text = fmt.Sprintf("the managers above %s lead back to this person", cmp.Or(m.Name, m.Named))
	default:
		return nil
	}
	source := responsible(doc, i, managerPath)
	return []model.Finding{{Kind: model.FindingManager, Subject: managerPath, Source: source, Message: text + sayer(source)}}
}

// brief is the beginning of a text that may be of any length.
func brief(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func sayer(source string) string {
	if source == "" {
		return ""
	}
	return " (" + source + ")"
}

// attributeName is the short name of an attribute path.
func attributeName(path string) string {
	if p, err := scim.ParsePath(path); err == nil && p.Attr != "" {
		if p.Sub != "" {
			return p.Attr + "." + p.Sub
		}
		return p.Attr
	}
	return path
}

// responsible is the source that an attribute came from, or, where nobody has said it,
// the first of those that may and that know the person.
func responsible(doc *config.Document, i model.Identity, path string) string {
	keys := originKeys(path)
	for _, key := range keys {
		for origin, source := range i.Origin {
			if strings.EqualFold(origin, key) {
				return source
			}
		}
	}
	order := doc.SourceNames()
	for _, key := range append(keys, "*") {
		if list, ok := authorityOf(doc, key); ok {
			order = list
			break
		}
	}
	for _, s := range order {
		if slices.ContainsFunc(i.Links, func(l model.Link) bool { return l.Source == s }) {
			return s
		}
	}
	if len(order) > 0 {
		return order[0]
	}
	return ""
}

func authorityOf(doc *config.Document, key string) ([]string, bool) {
	for name, list := range doc.Identity.Authority {
		bare := strings.TrimSuffix(strings.TrimSuffix(name, ".*"), ":*")
		if strings.EqualFold(name, key) || strings.EqualFold(bare, key) {
			return list, true
		}
	}
	return nil, false
}

// originKeys are the keys under which the origin of an attribute may stand, the most
// specific first.
func originKeys(path string) []string {
	p, err := scim.ParsePath(path)
	if err != nil {
		return []string{path}
	}
	if p.URI != "" && !strings.EqualFold(p.URI, scim.URNUser) {
		return []string{p.URI + ":" + p.Attr, p.URI}
	}
	if p.Sub != "" {
		return []string{p.Attr + "." + p.Sub, p.Attr}
	}
	return []string{p.Attr}
}

// shownAt is the value of an attribute of a merged user as text; empty where there is
// none. Of a complex value, or a list, it only says that it is there.
func shownAt(user map[string]any, path string) string {
	p, err := scim.ParsePath(path)
	if err != nil {
		return ""
	}
	value := model.AttributeAt(user, p)
	if p.Sub != "" {
		value = partOf(value, p.Sub)
	}
	return textOf(value)
}

// partOf is a part of a complex value, or of the first element of a list that has it.
func partOf(value any, sub string) any {
	switch v := value.(type) {
	case map[string]any:
		return model.Member(v, sub)
	case []any:
		for _, e := range v {
			if part := partOf(e, sub); textOf(part) != "" {
				return part
			}
		}
	}
	return nil
}

func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(v)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		if len(v) == 0 {
			return ""
		}
		return textOf(v[0])
	case map[string]any:
		if len(v) == 0 {
			return ""
		}
		return cmp.Or(textOf(v["value"]), "(complex)")
	}
	return fmt.Sprint(value)
}

// numberOf is the number of a person in the form in which two are compared; empty
// for who has left, since a number may come back with the person under another id.
func numberOf(doc *config.Document, i model.Identity, stage model.Stage) string {
	if doc.Identity.Number == "" || !concerns(stage) {
		return ""
	}
	return store.NumberKey(shownAt(i.User, doc.Identity.Number))
}
