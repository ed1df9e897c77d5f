package policy

import (
	"errors"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/scimhub/scimhub/model"
)

var errNotNative = errors.New("not available as a Go value")

// object is the user, or a complex attribute of the user, in expressions. It
// converts an attribute when that is first read and remembers the result, so that
// two hundred rules about a department convert it once. It belongs to one
// evaluation and is not for concurrent use.
type object struct {
	of   *structure
	raw  map[string]any
	memo []ref.Val
}

func (o *object) get(f *field) ref.Val {
	if o.memo == nil {
		o.memo = make([]ref.Val, o.of.size)
	}
	if o.memo[f.index] == nil {
		o.memo[f.index] = f.convert(o.raw[f.key])
	}
	return o.memo[f.index]
}

func (o *object) has(f *field) bool {
	raw, ok := o.raw[f.key]
	if !ok || raw == nil {
		return false
	}
	items, isList := raw.([]any)
	return !isList || len(items) > 0
}

// Get and IsSet serve expressions that hide the type, such as dyn(user).title.
func (o *object) Get(index ref.Val) ref.Val {
	name, _ := index.(types.String)
	if f, ok := o.of.fields[string(name)]; ok {
		return o.get(f)
	}
	return types.NewErr("there is no attribute %v", index)
}

func (o *object) IsSet(index ref.Val) ref.Val {
	name, _ := index.(types.String)
	if f, ok := o.of.fields[string(name)]; ok {
		return types.Bool(o.has(f))
	}
	return types.NewErr("there is no attribute %v", index)
}

func (o *object) Type() ref.Type {
	return types.NewObjectType(o.of.name, traits.IndexerType|traits.FieldTesterType)
}
func (o *object) Value() any { return o }

func (o *object) Equal(other ref.Val) ref.Val {
	p, ok := other.(*object)
	return types.Bool(ok && (o == p || len(o.raw) == 0 && len(p.raw) == 0 || reflect.DeepEqual(o.raw, p.raw)))
}

func (o *object) ConvertToNative(reflect.Type) (any, error) { return nil, errNotNative }

func (o *object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return types.NewObjectType(o.of.name)
	}
	return types.NewErr("%s cannot be converted to %s", o.of.name, t.TypeName())
}

// newUser makes the variable user of an identity.
func newUser(s *structure, i model.Identity) *object {
	raw := make(map[string]any, len(i.User)+2)
	ext := map[string]any{}
	for k, v := range i.User {
		if len(k) > 4 && strings.EqualFold(k[:4], "urn:") {
			ext[k] = v
		}
		raw[k] = v
	}
	raw[fieldExt] = ext
	delete(raw, fieldGroups)
	if len(i.Groups) > 0 {
		names := make([]any, 0, len(i.Groups))
		for _, g := range i.Groups {
			names = append(names, g.Display)
		}
		raw[fieldGroups] = names
	}
	return &object{of: s, raw: raw}
}

// loose is a mapping of unknown structure: user.ext and the extensions in it. A key
// that is absent reads as null, so that a rule about an attribute that few people
// have is false for the others instead of failing for them.
type loose struct{ raw map[string]any }

func looseValue(raw any) ref.Val {
	switch v := raw.(type) {
	case map[string]any:
		return loose{raw: v}
	case []any:
		items := make([]ref.Val, len(v))
		for i := range v {
			items[i] = looseValue(v[i])
		}
		return types.NewRefValList(types.DefaultTypeAdapter, items)
	}
	if _, isString := raw.(string); !isString {
		if n, ok := toFloat(raw); ok {
			return types.Double(n)
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(raw)
}

func (l loose) Get(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.NewErr("%v is not the name of an attribute", index)
	}
	v, found := l.raw[string(name)]
	switch {
	case found && v != nil:
		return looseValue(v)
	case len(name) > 4 && strings.EqualFold(string(name[:4]), "urn:"):
		return loose{} // an extension that the person lacks: its attributes read as null
	}
	return types.NullValue
}

func (l loose) IsSet(index ref.Val) ref.Val { return l.Contains(index) }

func (l loose) Contains(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	v, found := l.raw[string(name)]
	return types.Bool(ok && found && v != nil)
}

func (l loose) Size() ref.Val { return types.Int(len(l.raw)) }

func (l loose) Iterator() traits.Iterator { return l.mapper().Iterator() }

func (l loose) mapper() traits.Mapper {
	return types.NewStringInterfaceMap(types.DefaultTypeAdapter, l.raw)
}

func (l loose) Equal(other ref.Val) ref.Val {
	m, ok := other.(loose)
	return types.Bool(ok && (len(l.raw) == 0 && len(m.raw) == 0 || reflect.DeepEqual(l.raw, m.raw)))
}

func (l loose) Type() ref.Type { return types.MapType }
func (l loose) Value() any     { return l.raw }

func (l loose) ConvertToNative(t reflect.Type) (any, error) { return l.mapper().ConvertToNative(t) }

func (l loose) ConvertToType(t ref.Type) ref.Val {
	if t == types.MapType {
		return l
	}
	return l.mapper().ConvertToType(t)
}

// vars binds the one variable of expressions.
type vars struct{ user *object }

func (v vars) ResolveName(name string) (any, bool) {
	if name == "user" {
		return v.user, true
	}
	return nil, false
}

func (v vars) Parent() cel.Activation { return nil }
