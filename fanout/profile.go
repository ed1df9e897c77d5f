package fanout

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

//go:embed profiles/*.json
var profileFiles embed.FS // immutable

// Profile is what one application is known to do and to refuse: data, so that a
// new application needs a file and no code. Fields left out of a file keep the
// value of the generic profile.
type Profile struct {
	Name      string `json:"name"`
	UserAgent string `json:"userAgent,omitempty"` // instead of scimhub/<version>

	// Reading.
	PageSize        int      `json:"pageSize"`        // count asked for in lists
	TrustList       bool     `json:"trustList"`       // an unfiltered list shows everybody
	Filters         []string `json:"filters"`         // attributes a filter may name; "*" any
	MembersReadable bool     `json:"membersReadable"` // GET of a group shows its members
	UserNameFolds   bool     `json:"userNameFolds"`   // the target lower-cases user names

	// Writing.
	Put             bool     `json:"put"`             // no PATCH for users: read, merge, PUT
	PatchPathless   bool     `json:"patchPathless"`   // one PATCH operation without path
	MaxMembers      int      `json:"maxMembers"`      // membership changes per PATCH
	MaxUserName     int      `json:"maxUserName"`     // characters; 0 no limit
	SingleValued    bool     `json:"singleValued"`    // multi-valued attributes take one element
	Drops           []string `json:"drops,omitempty"` // attributes the target refuses or forgets: never sent
	PartOnDisable   bool     `json:"partOnDisable"`   // take memberships away from disabled accounts
	Delete          string   `json:"delete"`          // hard, disable (DELETE only deactivates), forbidden
	ApproveDelete   bool     `json:"approveDelete"`   // deletion destroys data: a person approves each
	ThrottledBody   string   `json:"throttledBody,omitempty"`
	ThrottledStatus int      `json:"throttledStatus,omitempty"` // with ThrottledBody in the body: means 429
}

// The delete semantics of a profile.
const (
	DeleteHard      = "hard"
	DeleteDisables  = "disable"
	DeleteForbidden = "forbidden"
)

// ProfileNames lists the profiles there are, sorted.
func ProfileNames() []string {
	entries, err := profileFiles.ReadDir("profiles")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	slices.Sort(names)
	return names
}

// ProfileNamed returns a profile; an empty name is generic. An unknown name is a
// model.Invalid error that lists the names there are.
func ProfileNamed(name string) (Profile, error) {
	if name == "" {
		name = "generic"
	}
	if !slices.Contains(ProfileNames(), name) {
		return Profile{}, model.Fail(model.Invalid, fmt.Sprintf("there is no target profile %q; known are %s", name, strings.Join(ProfileNames(), ", ")), nil)
	}
	var p Profile
	for _, file := range []string{"generic", name} {
		text, err := profileFiles.ReadFile("profiles/" + file + ".json")
		if err != nil {
			return Profile{}, fmt.Errorf("profile %s: %w", file, err)
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&p); err != nil {
			return Profile{}, fmt.Errorf("profile %s: %w", file, err)
		}
	}
	return p, nil
}

// Filterable reports whether a list filter may name the attribute.
func (p Profile) Filterable(attr string) bool {
	for _, f := range p.Filters {
		if f == "*" || strings.EqualFold(f, attr) {
			return true
		}
	}
	return false
}

// Canonical brings an account into the one form in which it is compared and
// sent, so that equal accounts never differ: groups sorted and single, empty
// values gone, attributes the target does not take left out, case folded where
// the target folds. It is idempotent and leaves its argument alone.
func (p Profile) Canonical(a model.Account) model.Account {
	out := a
	out.UserName = strings.TrimSpace(a.UserName)
	if p.UserNameFolds {
		out.UserName = strings.ToLower(out.UserName)
	}
	out.Groups = slices.Clone(a.Groups)
	slices.Sort(out.Groups)
	out.Groups = slices.Compact(out.Groups)
	if len(out.Groups) == 0 {
		out.Groups = nil
	}
	out.Attrs = nil
	for path, v := range a.Attrs {
		if p.drops(path) {
			continue
		}
		if v = p.canonicalValue(plain(v)); v == nil {
			continue
		}
		if out.Attrs == nil {
			out.Attrs = make(map[string]any, len(a.Attrs))
		}
		out.Attrs[path] = v
	}
	return out
}

func (p Profile) drops(path string) bool {
	for _, d := range p.Drops {
		if strings.EqualFold(d, path) {
			return true
		}
		if len(path) > len(d) && strings.EqualFold(path[:len(d)], d) && strings.ContainsRune(".[:", rune(path[len(d)])) {
			return true
		}
	}
	return false
}

type keyedValue struct {
	key string
	v   any
}

// canonicalValue sorts the elements of lists: SCIM gives multi-valued attributes
// no order (RFC 7643 §2.4), so their order is no difference. Elements that say
// the same twice count once; where one value is allowed the primary one stays.
func (p Profile) canonicalValue(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	keyed := make([]keyedValue, len(list))
	for i, e := range list {
		keyed[i] = keyedValue{key: string(canonicalJSON(e)), v: e}
	}
	first := list[0]
	slices.SortStableFunc(keyed, func(a, b keyedValue) int { return strings.Compare(a.key, b.key) })
	out := make([]any, 0, len(keyed))
	for i, k := range keyed {
		if i > 0 && k.key == keyed[i-1].key {
			continue
		}
		out = append(out, k.v)
		if m, isMap := k.v.(map[string]any); isMap && m["primary"] == true {
			first = k.v
		}
	}
	if p.SingleValued && len(out) > 1 {
		return []any{first}
	}
	return out
}

// canonical is Canonical on pointers, nil staying nil.
func (p Profile) canonical(a *model.Account) *model.Account {
	if a == nil {
		return nil
	}
	c := p.Canonical(*a)
	return &c
}
