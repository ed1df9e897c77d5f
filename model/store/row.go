package store

import (
	"encoding/json"
	"fmt"

	"github.com/scimhub/scimhub/model/scim"
)

// json is the placeholder of a JSON document.
func (t *Tx) json() string {
	if t.pg {
		return "?::jsonb"
	}
	return "?"
}

// resourceRow is a row of resources.
type resourceRow struct {
	ID, Source, Kind, Key, ExternalID, Display string
	Doc, Search                                string
	Version, CreatedAt, ModifiedAt             int64
	IdentityID                                 string
	userName                                   string
	values                                     []value
}

// keptAsRows tells which attributes are no part of the document: members of a group
// and, seen from the other end, groups of a user. Types of a configuration's own may
// use the names for something else.
func keptAsRows(t *scim.ResourceType, attr string) bool {
	return attr == "members" && t.Name == "Group" || attr == "groups" && t.Name == "User"
}

// Name is what lists call the resource until its identity was evaluated.
func (r resourceRow) Name() string {
	if r.userName != "" {
		return r.userName
	}
	return r.ID
}

// keyFrom is what keeps resources apart by an attribute, from a search document.
func keyFrom(search map[string]any, attr string) string {
	text, _ := search[attr].(string)
	return indexForm(text)
}

// externalID is the column that looks it up, from a resource's attributes.
func externalID(attrs map[string]any) string {
	id, _ := attrs["externalId"].(string)
	return indexForm(id)
}

func newRow(w ResourceWrite) (resourceRow, error) {
	r := w.Resource
	attrs := make(map[string]any, len(r.Attrs))
	for k, v := range r.Attrs {
		if !keptAsRows(w.Type, k) {
			attrs[k] = v
		}
	}
	doc, err := json.Marshal(attrs)
	if err != nil {
		return resourceRow{}, fmt.Errorf("resource document: %w", err)
	}
	r.Attrs = attrs
	search := w.Type.SearchDoc(r)
	delete(search, "id") // columns
	delete(search, "meta")
	found, err := json.Marshal(search)
	if err != nil {
		return resourceRow{}, fmt.Errorf("search document: %w", err)
	}
	text := func(name string) string { s, _ := attrs[name].(string); return s }
	row := resourceRow{ID: r.ID, values: values(w.Type, search), Source: w.Source, Kind: w.Type.Name, ExternalID: externalID(attrs), Display: text("displayName"),
		Doc: string(doc), Search: string(found), Version: r.Meta.Version, CreatedAt: micros(r.Meta.Created),
		ModifiedAt: micros(r.Meta.LastModified), IdentityID: w.Identity, userName: text("userName")}
	switch {
	case w.Type.Name == "User":
		row.Key = keyFrom(search, "username")
		return row, nil
	case w.Type.Name == "Group" && w.UniqueName:
		row.Key = keyFrom(search, "displayname")
	}
	row.IdentityID = ""
	return row, nil
}
