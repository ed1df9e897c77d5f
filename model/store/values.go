package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// value is one row of resource_values.
type value struct {
	attr, value string
	uniq        bool
}

// foundBy lists the attributes, by path in lower case, whose values are kept for
// look-ups: what identity providers match people and groups by, and what is unique.
func foundBy(t *scim.ResourceType) []string {
	var out []string
	switch {
	case t.Schema.ID == scim.URNUser:
		out = append(out, "emails.value")
	case t.Schema.ID == scim.URNGroup:
		out = append(out, "displayname")
	}
	for _, u := range uniqueAttributes(t) {
		out = append(out, u.name())
	}
	return out
}

// valuePath is where values stand in a search document.
type valuePath struct {
	keys []string // in lower case; lists on the way are gone through
	urn  string   // first of keys, where it is an extension's
}

func (p valuePath) name() string {
	if p.urn == "" {
		return strings.Join(p.keys, ".")
	}
	return p.urn + ":" + strings.Join(p.keys[1:], ".")
}

// uniqueAttributes are the attributes that the schemas of a type declare unique, but for
// userName, which has a column (RFC 7643 §7).
func uniqueAttributes(t *scim.ResourceType) []valuePath {
	var out []valuePath
	for _, u := range t.UniqueAttributes() {
		if u.UserName && t.Name == "User" || u.Path.URI == "" && keptAsRows(t, strings.ToLower(u.Path.Attr)) {
			continue
		}
		out = append(out, valuePath{keys: keys(u.Path), urn: strings.ToLower(u.Path.URI)})
	}
	return out
}

// values are what a resource is found by, from its search document.
func values(t *scim.ResourceType, search map[string]any) []value {
	var out []value
	add := func(attr, text string, uniq bool) {
		v := value{attr, text, uniq}
		if uniq {
			v.value = indexForm(text)
		}
		if (uniq || indexable(text)) && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	switch t.Schema.ID {
	case scim.URNUser:
		for _, text := range texts(search, []string{"emails", "value"}) {
			add("emails.value", text, false)
		}
	case scim.URNGroup:
		for _, text := range texts(search, []string{"displayname"}) {
			add("displayname", text, false)
		}
	}
	for _, p := range uniqueAttributes(t) {
		for _, text := range texts(search, p.keys) {
			add(p.name(), text, true)
		}
	}
	return out
}

// texts collects the values at a path of a search document.
func texts(node any, keys []string) []string {
	switch n := node.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, e := range n {
			out = append(out, texts(e, keys)...)
		}
		return out
	case map[string]any:
		if len(keys) == 0 {
			return nil
		}
		return texts(n[keys[0]], keys[1:])
	case string:
		return []string{n}
	}
	text, err := json.Marshal(node)
	if err != nil {
		return nil
	}
	return []string{string(text)}
}

// indexForm is a value as an index can hold it: as it is, or the beginning and a
// digest of one that is too long. Different values have different forms.
func indexForm(text string) string {
	if indexable(text) && !strings.Contains(text, digestMark) || text == "" {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	head := []rune(text)
	return string(head[:min(len(head), maxIndexed)]) + digestMark + hex.EncodeToString(sum[:])
}

// digestMark is a control character that no value in its own form has.
const digestMark = "\x02"

// valuePieces brings the values in step: those that went, those that are new. On
// SQLite each unique one is a statement of its own, so that it is known which is taken.
func (t *Tx) valuePieces(w ResourceWrite, before, after []value) []piece {
	var out []piece
	var gone, fresh []value
	for _, v := range before {
		if !slices.Contains(after, v) {
			gone = append(gone, v)
		}
	}
	for _, v := range after {
		if !slices.Contains(before, v) {
			fresh = append(fresh, v)
		}
	}
	for chunk := range slices.Chunk(gone, perStatement) {
		p := piece{text: `DELETE FROM resource_values WHERE resource_id = ? AND (`, args: []any{w.Resource.ID}}
		for i, v := range chunk {
			if i > 0 {
				p.text += " OR "
			}
			p.text += "attr = ? AND value = ?"
			p.args = append(p.args, v.attr, v.value)
		}
		p.text += ")"
		out = append(out, p)
	}
	size := perStatement
	if !t.pg && slices.ContainsFunc(fresh, func(v value) bool { return v.uniq }) {
		size = 1
	}
	for chunk := range slices.Chunk(fresh, size) {
		p := piece{text: `INSERT INTO resource_values (resource_id, attr, value, kind, source, uniq) VALUES `}
		for i, v := range chunk {
			if i > 0 {
				p.text += ","
			}
			p.text += "(?,?,?,?,?,?)"
			p.args = append(p.args, w.Resource.ID, v.attr, v.value, w.Type.Name, w.Source, v.uniq)
		}
		if size == 1 {
			p.attr = chunk[0].attr
		}
		out = append(out, p)
	}
	return out
}

// TakenError says that another resource of the source has a value that no two may have
// (RFC 7644 §3.3). It is the cause of a model.Conflict.
type TakenError struct {
	Attribute string // its path
	Err       error
}

func (e *TakenError) Error() string { return e.Attribute + " is taken: " + e.Err.Error() }

// Unwrap gives the database's error.
func (e *TakenError) Unwrap() error { return e.Err }

// taken names the unique value of a resource that another one has.
func taken(err error, w ResourceWrite, values []value) error {
	if !isUnique(err) {
		return err
	}
	attr := ""
	var known *TakenError
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &known):
		attr = known.Attribute
	case errors.As(err, &pg) && pg.ConstraintName == "resources_key", strings.Contains(err.Error(), "resources.key"):
		attr = keyAttribute(w.Type)
	case pg != nil && pg.ConstraintName == "resource_values_unique":
		for _, v := range values { // Detail is: Key (kind, attr, …)=(User, the path, …) …
			if v.uniq && strings.Contains(pg.Detail, ", "+v.attr+", ") {
				attr = v.attr
			}
		}
	}
	if attr == "" {
		return err
	}
	if p, err := scim.ParsePath(attr); err == nil {
		if resolved, _, err := w.Type.Resolve(p); err == nil {
			attr = resolved.String()
		}
	}
	return model.Fail(model.Conflict, "another "+w.Type.Name+" of this source has this "+attr, &TakenError{attr, err})
}

// keyAttribute is the attribute that the column key of a type is made of.
func keyAttribute(t *scim.ResourceType) string {
	if t.Name == "Group" {
		return "displayName"
	}
	return "userName"
}
