package fanout

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

const profileDocs = "../docs/profiles.md"

func TestEveryProfileIsSoundAndSimulated(t *testing.T) {
	t.Parallel()
	for _, name := range ProfileNames() {
		p, err := ProfileNamed(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := config.CheckProfile(p.Profile); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p.Description == "" || p.Description == name {
			t.Errorf("%s: no description", name)
		}
		simulated, err := app.ProfileNamed(name)
		if err != nil {
			t.Errorf("%s is not simulated: %v", name, err)
			continue
		}
		agree(t, p, simulated)
	}
	for _, name := range app.ProfileNames() {
		if !slices.Contains(ProfileNames(), name) {
			t.Errorf("the simulated application %s has no profile", name)
		}
	}
}

// agree holds a profile against the simulation: who keeps to the one must not come
// to grief at the other.
func agree(t *testing.T, p Profile, s app.Profile) {
	t.Helper()
	wrong := func(is bool, what string) {
		t.Helper()
		if is {
			t.Errorf("%s: the profile allows what the simulation refuses: %s", p.Name, what)
		}
	}
	wrong(s.PageMax > 0 && p.PageMax > s.PageMax, "pages")
	wrong(s.CutList > 0 && p.ListTrustworthy, "lists that are cut off")
	wrong(s.SyntheticList && p.ListTrustworthy, "lists that are made up")
	wrong(s.NoMembersInGet && p.MembersReadable, "members")
	wrong(s.MaxMembersPerPatch > 0 && p.Patch.MaxMemberChanges > s.MaxMembersPerPatch, "member changes")
	wrong(s.MaxGroupBody > 0 && (p.Patch.MaxBody == 0 || p.Patch.MaxBody > s.MaxGroupBody), "size of a PATCH")
	wrong(s.NoMembersReplace && p.GroupReplaceAll, "replacing members")
	wrong(s.NoGroupRename && p.Rename.Group, "renaming groups")
	wrong(s.NoPut && p.Put.Supported, "PUT")
	wrong(s.NoPatch && p.Patch.Supported, "PATCH")
	wrong(s.NoGroups && p.Has("Group"), "groups")
	wrong(s.EmptyOnBadFilter && p.BadFilter != "empty", "filters that are believed")
	wrong(s.SingleValues && !p.SingleValued, "several values")
	wrong(s.Parallel > 0 && p.Concurrency > s.Parallel, "requests at once")
	wrong(s.PatchStatus204 && p.EchoesBody, "answers without body")
	wrong(s.OwnedToken && !p.Credential.Owned, "the token's owner")
	wrong(s.DeleteForever && p.Delete != model.DeleteIrreversible, "deletion for ever")
	wrong(s.DeleteDestroys && p.Delete != model.DeleteIrreversible, "deletion that destroys")
	wrong(s.GroupDeleteForever && p.DeleteGroup != model.DeleteIrreversible, "deletion of groups")
	wrong(s.NoDelete && p.Delete != model.DeleteForbidden, "deletion")
	wrong(s.Invites && p.DisablePendingUser != "deletes", "invitations")
	wrong(s.FrozenWhenInactive && p.UpdateWhenInactive == "yes", "changes of who is off")
	wrong(s.UserFilters != nil && !subset(p.Filters.Users, s.UserFilters), "filters over users")
	wrong(s.GroupFilters != nil && !subset(p.Filters.Groups, s.GroupFilters), "filters over groups")
	wrong(s.FilterOps != nil && !subset(p.Filters.Ops, s.FilterOps), "operators")
	wrong(s.Compound == "none" && p.Filters.Compound != "none" || s.Compound == "and" && p.Filters.Compound == "any", "joined filters")
	for path, rule := range s.Texts {
		wrong(rule.Max > 0 && (p.Limits[path].Len == 0 || p.Limits[path].Len > rule.Max), "length of "+path)
		wrong(rule.Refuse != p.Limits[path].Charset, "characters of "+path)
	}
	for _, path := range s.Required {
		wrong(!p.Limits[path].Required, "accounts without "+path)
	}
	for _, path := range s.Refused {
		wrong(!names(p.Drops, path), "the attribute "+path)
	}
	for _, l := range s.Limits {
		slow := p.Name == "entra" || slices.ContainsFunc(p.Rate.Buckets, func(b model.Bucket) bool {
			return slices.Equal(b.Kinds, l.Kinds) && (b.Counts == "members") == l.Members && b.OverBody == l.OverBody &&
				float64(b.Requests)/float64(b.PerSeconds) <= float64(l.Requests)/l.Per.Seconds() && (l.Burst == 0 || b.Burst > 0 && b.Burst <= l.Burst)
		})
		wrong(!slow, "a pace of "+strings.Join(l.Kinds, ", "))
	}
}

func subset(list, of []string) bool {
	return !slices.ContainsFunc(list, func(e string) bool { return !slices.Contains(of, e) })
}

// leaf is a field of a profile as the documentation names it.
type leaf struct {
	path string
	at   []string // tags from the top; "[]" for the elements of a list, "*" for those of a mapping
}

func leavesOf(t reflect.Type, at []string) []leaf {
	switch {
	case t.Kind() == reflect.Struct:
		var out []leaf
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "-" {
				out = append(out, leavesOf(f.Type, append(slices.Clone(at), name))...)
			}
		}
		return out
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return leavesOf(t.Elem(), append(at, "[]"))
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		return leavesOf(t.Elem(), append(at, "*"))
	}
	return []leaf{{strings.ReplaceAll(strings.Join(at, "."), ".[]", "[]"), at}}
}

// profileDocuments are all profiles as JSON holds them.
func profileDocuments(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, name := range ProfileNames() {
		p, err := ProfileNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(p.Profile)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		out[name] = doc
	}
	return out
}

// dig is the value of a field in a profile; for fields of elements, those of all
// elements that are not the zero value.
func dig(v any, at []string) any {
	if len(at) == 0 {
		return v
	}
	var all []any
	collect := func(e any) {
		if e = dig(e, at[1:]); e != nil && !reflect.ValueOf(e).IsZero() {
			all = append(all, e)
		}
	}
	switch m := v.(type) {
	case []any:
		for _, e := range m {
			collect(e)
		}
		return all
	case map[string]any:
		if at[0] != "*" {
			return dig(m[at[0]], at[1:])
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			collect(m[key])
		}
		return all
	}
	return nil
}

// columns are what the documentation says last of a field: its default, and which
// profiles differ.
func (l leaf) columns(t *testing.T, docs map[string]any) string {
	t.Helper()
	base := dig(docs["generic"], l.at)
	var by, rest []string
	for _, name := range ProfileNames() {
		switch {
		case !reflect.DeepEqual(dig(docs[name], l.at), base):
			by = append(by, name)
		case name != "generic":
			rest = append(rest, name)
		}
	}
	text, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	shown := "`" + strings.Trim(string(text), `"`) + "`"
	if shown == "``" || shown == "`null`" || l.path == "description" || len(l.at) > 1 && slices.Contains(l.at, "[]") || slices.Contains(l.at, "*") {
		shown = ""
	}
	who := strings.Join(by, ", ")
	switch {
	case len(rest) == 0:
		who = "all"
	case len(rest) < len(by):
		who = "all but " + strings.Join(rest, ", ")
	}
	return "| " + shown + " | " + who + " |"
}

// TestProfilesAreDocumented holds docs/profiles.md against the fields that there are,
// their defaults, and who states them.
func TestProfilesAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(profileDocs)
	if err != nil {
		t.Fatal(err)
	}
	docs := profileDocuments(t)
	for _, l := range leavesOf(reflect.TypeFor[model.Profile](), nil) {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta("`"+l.path+"`") + ` \| [^|]+ \| [^|]+ (\|.*)$`).FindSubmatch(text)
		if row == nil {
			t.Errorf("%s is not documented", l.path)
		} else if want := l.columns(t, docs); string(row[1]) != want {
			t.Errorf("%s is documented with %s; it is %s", l.path, row[1], want)
		}
	}
	for _, name := range ProfileNames() {
		if !strings.Contains(string(text), "\n| `"+name+"` | ") {
			t.Errorf("the profile %s is not in the table", name)
		}
	}
}

// TestProfileExamples reads every example of docs/profiles.md: those of targets as a
// configuration, the others as a profile.
func TestProfileExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(profileDocs)
	if err != nil {
		t.Fatal(err)
	}
	generic, err := ProfileNamed("generic")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		seen++
		if !strings.HasPrefix(string(m[1]), "targets:") {
			p, faults := config.ParseProfile("example.yaml", m[1], generic.Profile)
			if len(faults) > 0 {
				t.Errorf("%s\n%s", faults[0], m[1])
			} else if err := config.CheckProfile(p); err != nil {
				t.Errorf("%v\n%s", err, m[1])
			}
			continue
		}
		c, faults := config.Parse("example.yaml", append([]byte(exampleRest), m[1]...))
		for _, f := range faults {
			t.Error(f)
		}
		for _, target := range c.Targets {
			if _, err := ProfileOf(target); err != nil {
				t.Error(err)
			}
		}
	}
	if seen < 8 {
		t.Errorf("%d examples", seen)
	}
}

// exampleRest is what a configuration needs beside targets.
const exampleRest = `listen: 127.0.0.1:0
database: "sqlite:hub.db"
sources:
  hr: {tokens: [{name: main, secret: "${env:HR_TOKEN}"}]}
`

// What is handed on before anything is deleted cannot be where switching off deletes.
func TestTransferNeedsAnAccountToHandOn(t *testing.T) {
	t.Parallel()
	target := model.Target{Name: "t", Leaver: model.LeaverPolicy{Transfer: "required"}, Overrides: map[string]any{"disable": "delete", "delete": "hard"}}
	if _, err := ProfileOf(target); model.CodeOf(err) != model.Invalid {
		t.Errorf("accepted: %v", err)
	}
	target.Overrides["delete"] = "disable"
	if _, err := ProfileOf(target); err != nil {
		t.Error(err)
	}
}
