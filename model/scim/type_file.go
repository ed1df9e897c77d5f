package scim

import (
	"slices"
	"strings"
)

// TypeFile is a resource type as a file describes it (RFC 7643 §6). One named User
// or Group adds extensions to that type; any other is a type of its own.
type TypeFile struct {
	Name, Endpoint, Description string
	Schema                      string // URN
	Extensions                  []ExtensionFile
}

// ExtensionFile names a schema extension of a TypeFile.
type ExtensionFile struct {
	Schema   string // URN
	Required bool
}

// ParseResourceTypes reads a file that holds one resource type in the JSON of RFC
// 7643 §6, or a list of them, as strictly as ParseSchemas. For User and Group
// endpoint and schema may be left out; if given they are those of the RFC.
func ParseResourceTypes(text []byte) ([]TypeFile, error) {
	r := newFileReader(text)
	var out []TypeFile
	for _, o := range r.objects("a resource type") {
		out = append(out, r.resourceType(o))
	}
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return out, nil
}

func (r *fileReader) resourceType(o object) TypeFile {
	name, _ := o.get("name")
	label, _ := name.(string)
	where := "resource type " + label
	r.keys(o, where, "schemas", "id", "name", "description", "endpoint", "schema", "schemaExtensions", "meta")
	r.kind(o, where, URNResourceType)
	t := TypeFile{
		Name:        r.str(o, where, "name", true),
		Description: r.str(o, where, "description", false),
	}
	if t.Name != "" && (!validName(t.Name) || t.Name[0] == '$' || len(t.Name) > 64) {
		m, _ := o.member("name")
		r.fault(m.start, where+": name", "%q is no name, which is a letter and then letters, digits, - and _", t.Name)
	}
	if m, ok := o.member("id"); ok && m.value != t.Name {
		r.fault(m.start, where+": id", "must be the name, under which the type is listed, or left out")
	}
	core, isCore := coreType(t.Name)
	if _, given := o.member("endpoint"); given || !isCore {
		t.Endpoint = r.endpoint(o, where)
	}
	if _, given := o.member("schema"); given || !isCore {
		t.Schema = r.urn(o, where, "schema")
	}
	if isCore {
		r.coreFile(o, where, t, core)
		t.Name, t.Endpoint, t.Schema = core.Name, core.Endpoint, core.Schema.ID
	}
	t.Extensions = r.extensions(o, where)
	return t
}

// coreFile checks that a file for User or Group leaves them what they are.
func (r *fileReader) coreFile(o object, where string, t TypeFile, core *ResourceType) {
	if t.Endpoint != "" && t.Endpoint != core.Endpoint {
		m, _ := o.member("endpoint")
		r.fault(m.start, where+": endpoint", "must be %s", core.Endpoint)
	}
	if t.Schema != "" && !strings.EqualFold(t.Schema, core.Schema.ID) {
		m, _ := o.member("schema")
		r.fault(m.start, where+": schema", "must be %s; own attributes go into an extension", core.Schema.ID)
	}
}

// coreType is User or Group, if it has that name.
func coreType(name string) (*ResourceType, bool) {
	if name == "" {
		return nil, false
	}
	return DefaultRegistry().Type(name)
}

func (r *fileReader) endpoint(o object, where string) string {
	had := len(r.faults)
	s := r.str(o, where, "endpoint", true)
	if len(r.faults) > had {
		return s
	}
	m, _ := o.member("endpoint")
	name, slash := strings.CutPrefix(s, "/")
	if !slash || !validName(name) || name[0] == '$' || len(name) > 64 {
		r.fault(m.start, where+": endpoint", `must be "/" and a name of letters, digits, - and _, such as "/Devices"`)
	}
	return s
}

func (r *fileReader) extensions(o object, where string) []ExtensionFile {
	m, ok := o.member("schemaExtensions")
	list, isList := m.value.([]any)
	if ok && !isList {
		r.fault(m.start, where+": schemaExtensions", `must be a list of {"schema": URN, "required": false}`)
	}
	var out []ExtensionFile
	for _, e := range list {
		x, ok := e.(object)
		if !ok {
			r.fault(m.start, where+": schemaExtensions", `must be a list of {"schema": URN, "required": false}`)
			continue
		}
		at := where + ": schemaExtensions"
		r.keys(x, at, "schema", "required")
		urn := r.urn(x, at, "schema")
		if slices.ContainsFunc(out, func(y ExtensionFile) bool { return strings.EqualFold(y.Schema, urn) }) {
			r.fault(x.at(), at, "%s is there twice", urn)
		}
		out = append(out, ExtensionFile{Schema: urn, Required: r.boolean(x, at, "required")})
	}
	return out
}
