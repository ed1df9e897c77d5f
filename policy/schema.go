package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/scimhub/scimhub/model/scim"
)

// The names of the pseudo attributes of a user in expressions.
const (
	fieldEnterprise = "enterprise" // the enterprise extension
	fieldExt        = "ext"        // any other extension, by URN
	fieldGroups     = "groups"     // display names of source groups
)

// structure is an object type of expressions: a complex attribute, or the user.
type structure struct {
	name   string
	fields map[string]*field
	size   int
}

// field is one attribute of a structure. Reading it never fails for want of a
// value: strings are then "", numbers 0, booleans false, lists and objects empty.
type field struct {
	index  int    // place in an object's memory
	key    string // name in the SCIM document
	typ    string // SCIM type of one value
	multi  bool
	absent ref.Val    // instead of the type's own zero
	sub    *structure // of complex values
	cel    *cel.Type
	access *types.FieldType
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// provider tells the type checker and the planner about the user's structure. All
// else it leaves to the registry it wraps.
type provider struct {
	*types.Registry
	structures map[string]*structure
	user       *structure
}

func newProvider(user *scim.ResourceType) (*provider, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("expression types: %w", err)
	}
	p := &provider{Registry: registry, structures: map[string]*structure{}}
	attrs := append([]*scim.Attribute{{Name: "externalId", Type: "string"}}, user.Schema.Attributes...)
	p.user = p.structure("User", attrs)
	for _, e := range user.Extensions {
		if e.Schema.ID == scim.URNEnterprise {
			ext := p.structure("User.enterprise", e.Schema.Attributes)
			p.field(p.user, fieldEnterprise, &field{key: scim.URNEnterprise, typ: "complex", sub: ext})
		}
	}
	p.field(p.user, fieldGroups, &field{key: fieldGroups, typ: "string", multi: true})
	p.field(p.user, fieldExt, &field{key: fieldExt, typ: "extensions"})
	if f := p.user.fields["active"]; f != nil {
		f.absent = types.True // the same default as model.Identity.Enabled
	}
	return p, nil
}

func (p *provider) structure(name string, attrs []*scim.Attribute) *structure {
	s := &structure{name: name, fields: map[string]*field{}}
	p.structures[name] = s
	for _, a := range attrs {
		// A password is no fact; and what is no identifier cannot be written.
		if strings.EqualFold(a.Name, "password") || a.Name == fieldGroups || !identifier.MatchString(a.Name) {
			continue
		}
		f := &field{key: a.Name, typ: a.Type, multi: a.MultiValued}
		if a.Type == "complex" {
			f.sub = p.structure(name+"."+a.Name, a.Sub)
		}
		p.field(s, a.Name, f)
	}
	return s
}

func (p *provider) field(s *structure, name string, f *field) {
	f.index, s.size = s.size, s.size+1
	s.fields[name] = f
	f.cel = f.celType()
	f.access = &types.FieldType{
		Type: f.cel,
		IsSet: func(target any) bool {
			o, ok := target.(*object)
			return ok && o.has(f)
		},
		GetFrom: func(target any) (any, error) {
			o, ok := target.(*object)
			if !ok {
				return nil, fmt.Errorf("%s has no attributes", name)
			}
			v := o.get(f)
			if e, bad := v.(*types.Err); bad {
				return nil, e
			}
			return v, nil
		},
	}
}

func (f *field) celType() *cel.Type {
	var t *cel.Type
	switch f.typ {
	case "boolean":
		t = cel.BoolType
	case "integer":
		t = cel.IntType
	case "decimal":
		t = cel.DoubleType
	case "complex":
		t = cel.ObjectType(f.sub.name)
	case "extensions":
		t = cel.MapType(cel.StringType, cel.DynType)
	default: // string, dateTime, binary, reference: as the text they are in JSON
		t = cel.StringType
	}
	if f.multi {
		return cel.ListType(t)
	}
	return t
}

// zero is the value where there is none.
func (f *field) zero() ref.Val {
	switch {
	case f.multi:
		return types.NewRefValList(types.DefaultTypeAdapter, nil)
	case f.absent != nil:
		return f.absent
	}
	switch f.typ {
	case "boolean":
		return types.False
	case "integer":
		return types.IntZero
	case "decimal":
		return types.Double(0)
	case "complex":
		return &object{of: f.sub}
	case "extensions":
		return loose{}
	}
	return types.String("")
}

// convert makes an expression's value of a document's.
func (f *field) convert(raw any) ref.Val {
	if raw == nil {
		return f.zero()
	}
	if !f.multi {
		return f.single(raw)
	}
	items, ok := raw.([]any)
	if !ok {
		return types.NewErr("%s is not a list", f.key)
	}
	out := make([]ref.Val, 0, len(items))
	for _, item := range items {
		v := f.single(item)
		if types.IsError(v) {
			return v
		}
		out = append(out, v)
	}
	return types.NewRefValList(types.DefaultTypeAdapter, out)
}

func (f *field) textual() bool {
	switch f.typ {
	case "boolean", "integer", "decimal", "complex", "extensions":
		return false
	}
	return true
}

func (f *field) single(raw any) ref.Val {
	switch v := raw.(type) {
	case string:
		if f.textual() {
			return types.String(v)
		}
	case bool:
		if f.typ == "boolean" {
			return types.Bool(v)
		}
	case map[string]any:
		if f.typ == "extensions" {
			return loose{raw: v}
		}
		if f.sub != nil {
			return &object{of: f.sub, raw: v}
		}
	default:
		if n, ok := toFloat(raw); ok {
			switch {
			case f.typ == "decimal":
				return types.Double(n)
			case f.typ == "integer" && n == math.Trunc(n) && math.Abs(n) < 1<<63:
				return types.Int(n)
			}
		}
	}
	return types.NewErr("%s is not of type %s", f.key, f.typ)
}

func toFloat(raw any) (float64, bool) {
	switch v := raw.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	}
	return 0, false
}

// FindStructType is part of types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.structures[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames is part of types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	s, ok := p.structures[name]
	if !ok {
		return p.Registry.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(s.fields))
	for n := range s.fields {
		names = append(names, n)
	}
	return names, true
}

// FindStructFieldType is part of types.Provider.
func (p *provider) FindStructFieldType(name, attr string) (*types.FieldType, bool) {
	s, ok := p.structures[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, attr)
	}
	f, ok := s.fields[attr]
	if !ok {
		return nil, false
	}
	return f.access, true
}

// NewValue is part of types.Provider; expressions read users and make none.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.structures[name]; ok {
		return types.NewErr("an expression cannot make a %s", name)
	}
	return p.Registry.NewValue(name, fields)
}
