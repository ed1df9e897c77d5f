package policy

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// defaultAttributes are passed on as they are where a target maps none: names and
// work data, but no private addresses or telephone numbers, which a target gets only
// if somebody asks for it.
var defaultAttributes = []string{
	"displayName", "externalId", "locale", "nickName", "preferredLanguage", "profileUrl",
	"timezone", "title", "userType",
}

var nameParts = []string{"familyName", "formatted", "givenName", "honorificPrefix", "honorificSuffix", "middleName"}

var enterpriseAttributes = []string{"costCenter", "department", "division", "employeeNumber", "organization"}

// emailParts are what of an email address is passed on by default.
var emailParts = []string{"display", "primary", "type", "value"}

// attributeOf is the attribute that a mapping's path names, in lower case, if it is
// one of those that an account has as fields of its own.
func attributeOf(path string) string {
	p := strings.ToLower(path)
	return strings.TrimPrefix(p, strings.ToLower(scim.URNUser)+":")
}

// wantedOf is the type that a mapping must give; nil: any.
func wantedOf(path string) *cel.Type {
	switch attributeOf(path) {
	case "username":
		return cel.StringType
	case "active":
		return cel.BoolType
	}
	return nil
}

// InScope reports whether the identity may be at the target at all. An error says
// that it could not be decided, which must not be taken for a no.
func (e *Engine) InScope(name string, i model.Identity) (bool, error) {
	t, ok := e.targets[name]
	if !ok {
		return false, model.Fail(model.NotFound, fmt.Sprintf("there is no target %q", name), nil)
	}
	if t.scope == nil {
		return true, nil
	}
	in, err := t.scope.holds(vars{newUser(e.language.provider.user, i)})
	if err != nil {
		return false, fmt.Errorf("target %s: scope: %w", name, err)
	}
	return in, nil
}

// Map makes the account that the identity has at a target, without groups. Active
// is true unless the target maps it; whether the account should be is for the caller
// to say. A value that is null, "" or an empty list is left out (RFC 7643 §2.5).
//
// Values are string, bool, float64, []any and map[string]any, as they come back
// from JSON, and share nothing with the identity.
func (e *Engine) Map(name string, i model.Identity) (model.Account, error) {
	t, ok := e.targets[name]
	if !ok {
		return model.Account{}, model.Fail(model.NotFound, fmt.Sprintf("there is no target %q", name), nil)
	}
	account := model.Account{Active: true, Attrs: map[string]any{}}
	account.UserName, _ = i.User["userName"].(string)
	if t.mapping == nil {
		defaultMapping(i.User, account.Attrs)
	} else if err := e.custom(t, i, &account); err != nil {
		return model.Account{}, fmt.Errorf("target %s: %w", name, err)
	}
	if account.UserName == "" {
		return model.Account{}, model.Fail(model.Invalid, fmt.Sprintf("target %s: %s has no userName there", name, i.Name()), nil)
	}
	return account, nil
}

func (e *Engine) custom(t target, i model.Identity, account *model.Account) error {
	v := vars{newUser(e.language.provider.user, i)}
	for _, m := range t.mapping {
		out, err := m.value.eval(v)
		if err != nil {
			return fmt.Errorf("user %s: %w", m.path, err)
		}
		value, err := plain(out)
		if err != nil {
			return fmt.Errorf("user %s: %w", m.path, err)
		}
		switch attributeOf(m.path) {
		case "username":
			account.UserName, _ = value.(string)
		case "active":
			active, isBool := value.(bool)
			if !isBool {
				return fmt.Errorf("user %s: gives no boolean", m.path)
			}
			account.Active = active
		default:
			if value != nil {
				account.Attrs[m.path] = value
			}
		}
	}
	return nil
}

func defaultMapping(user, attrs map[string]any) {
	put := func(path string, raw any) {
		if v := normal(raw); v != nil {
			attrs[path] = v
		}
	}
	for _, a := range defaultAttributes {
		put(a, user[a])
	}
	name, _ := user["name"].(map[string]any)
	for _, part := range nameParts {
		put("name."+part, name[part])
	}
	put("emails", defaultEmails(user["emails"]))
	enterprise, _ := user[scim.URNEnterprise].(map[string]any)
	for _, a := range enterpriseAttributes {
		put(scim.URNEnterprise+":"+a, enterprise[a])
	}
	// No manager: its value is the id of a resource at the source, which means nothing,
	// or somebody else, at the target. It can be mapped explicitly where ids are shared.
}

func defaultEmails(raw any) []any {
	items, _ := raw.([]any)
	out := make([]any, 0, len(items))
	for _, item := range items {
		email, _ := item.(map[string]any)
		kept := map[string]any{}
		for _, part := range emailParts {
			if v, ok := email[part]; ok {
				kept[part] = v
			}
		}
		out = append(out, kept)
	}
	return out
}

// normal copies a document's value into the form that Map promises; nil where it
// is unassigned.
func normal(raw any) any {
	switch v := raw.(type) {
	case string:
		if v == "" {
			return nil
		}
		return v
	case bool:
		return v
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			if n := normal(item); n != nil {
				out = append(out, n)
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			if n := normal(item); n != nil {
				out[k] = n
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	if n, ok := toFloat(raw); ok {
		return n
	}
	return nil
}

// plain turns an expression's value into an attribute's.
func plain(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.String:
		return normal(string(v)), nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return float64(v), nil
	case types.Uint:
		return float64(v), nil
	case types.Double:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
		return nil, errors.New("gives a number that JSON does not have")
	case *object:
		return normal(v.raw), nil
	case loose:
		return normal(v.raw), nil
	case traits.Mapper:
		return plainMap(v)
	case traits.Lister:
		return plainList(v)
	}
	return nil, fmt.Errorf("gives a %s, which no attribute can hold", v.Type().TypeName())
}

func plainList(l traits.Lister) (any, error) {
	var out []any
	for it := l.Iterator(); it.HasNext() == types.True; {
		item, err := plain(it.Next())
		if err != nil {
			return nil, err
		}
		if item != nil {
			out = append(out, item)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func plainMap(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, errors.New("gives a mapping whose keys are not text")
		}
		item, err := plain(m.Get(key))
		if err != nil {
			return nil, err
		}
		if item != nil {
			out[string(name)] = item
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
