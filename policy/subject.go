package policy

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/scimhub/scimhub/model"
)

// The types of a subject's attributes.
const (
	kindBoolean = "boolean"
	kindNumber  = "number"
	kindText    = "text"
	kindList    = "list" // of texts
	kindAny     = "any"  // as the source wrote it, null where it is absent
)

// The attributes that every subject has.
const (
	subjectPresent  = "present"  // with the organisation: at work or on leave
	subjectAsked    = "asked"    // roles given by a request, whatever rules say
	subjectApproved = "approved" // roles with any request in force
)

// SubjectAttribute is one attribute of a subject of the Casbin export.
type SubjectAttribute struct {
	Name string `json:"name"` // r.sub.NAME in the policy
	Type string `json:"type"` // boolean, number, text, list (of texts) or any
	// Expression says in the language of rules what it is.
	Expression string `json:"expression"`
}

// subject collects the attributes that translated conditions read.
type subject struct {
	list     []SubjectAttribute
	programs []*expression
	byKey    map[string]string // type and expression -> name
	taken    map[string]bool
}

func newSubject() *subject {
	return &subject{byKey: map[string]string{}, taken: map[string]bool{subjectPresent: true, subjectAsked: true, subjectApproved: true}}
}

func (s *subject) add(name, text, kind string, program *expression) string {
	key := kind + " " + text
	if known, ok := s.byKey[key]; ok {
		return known
	}
	unique := name
	for n := 2; s.taken[unique]; n++ {
		unique = fmt.Sprintf("%s_%d", name, n)
	}
	s.byKey[key], s.taken[unique] = unique, true
	s.list = append(s.list, SubjectAttribute{Name: unique, Type: kind, Expression: text})
	s.programs = append(s.programs, program)
	return unique
}

// kindOf is the type of a subject's attribute for one of an expression; empty: none.
func kindOf(t *cel.Type) string {
	switch t.Kind() {
	case types.BoolKind:
		return kindBoolean
	case types.StringKind:
		return kindText
	case types.IntKind, types.UintKind, types.DoubleKind:
		return kindNumber
	case types.DynKind:
		return kindAny
	case types.ListKind:
		if len(t.Parameters()) == 1 && t.Parameters()[0].Kind() == types.StringKind {
			return kindList
		}
	}
	return ""
}

const maxFactName = 48

var noWord = regexp.MustCompile(`[^A-Za-z0-9]+`)

// factName is a readable name: that of the attribute, or the words of the expression.
func factName(e ast.Expr, text string) string {
	if path, ok := userPath(e); ok && len(path) > 1 && path[0] == fieldExt {
		if urn, _ := path[1].(string); isURN(urn) && len(path) > 2 {
			text = strings.Replace(text, urn, "", 1)
		}
	}
	words := strings.Split(strings.Trim(noWord.ReplaceAllString(text, "_"), "_"), "_")
	name := ""
	for _, w := range words {
		if w == "user" {
			continue
		}
		if name != "" {
			name += "_"
		}
		if name += w; len(name) > maxFactName {
			name = strings.TrimRight(name[:maxFactName], "_")
			break
		}
	}
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "f_" + name
	}
	return name
}

// of makes the subject of an identity. What cannot be read, as it is not of its
// schema's type, has the value of what is absent.
func (s *subject) of(user *structure, i model.Identity, asked []model.Request) map[string]any {
	v := vars{newUser(user, i)}
	out := make(map[string]any, len(s.list)+3)
	for n, a := range s.list {
		value, err := s.programs[n].eval(v)
		if err != nil {
			value = types.NewErr("%v", err)
		}
		out[a.Name] = valueOf(a.Type, value)
	}
	given, approved := []any{}, []any{}
	for _, q := range asked {
		approved = append(approved, q.Role)
		if q.Origin != model.OriginRule {
			given = append(given, q.Role)
		}
	}
	out[subjectPresent], out[subjectAsked], out[subjectApproved] = true, given, approved
	return out
}

func valueOf(kind string, v ref.Val) any {
	switch kind {
	case kindBoolean:
		b, _ := v.(types.Bool)
		return bool(b)
	case kindNumber:
		return numberOf(v)
	case kindText:
		s, _ := v.(types.String)
		return string(s)
	case kindList:
		out := []any{}
		if l, ok := v.(traits.Lister); ok {
			for it := l.Iterator(); it.HasNext() == types.True; {
				s, _ := it.Next().(types.String)
				out = append(out, string(s))
			}
		}
		return out
	}
	switch v := v.(type) {
	case types.String:
		return string(v)
	case types.Bool:
		return bool(v)
	case types.Int, types.Uint, types.Double:
		return numberOf(v)
	}
	if types.IsError(v) {
		return nil
	}
	out, _ := plain(v) // what is no JSON value is null
	return out
}

func numberOf(v ref.Val) float64 {
	switch v := v.(type) {
	case types.Int:
		return float64(v)
	case types.Uint:
		return float64(v)
	case types.Double:
		return float64(v)
	}
	return 0
}
