package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// account is one user that an application really holds.
type account struct {
	id       string
	userName string
	active   bool
	doc      map[string]any
	groups   []string // sorted
}

// holdings is the true state of an application.
type holdings struct {
	accounts map[string]*account // by externalId
	members  map[string][]string // group name -> externalIds, sorted
	doubles  []string            // userNames, externalIds and group names that are there twice
}

func (a *application) state(ctx context.Context) (*holdings, error) {
	var raw struct{ Users, Groups []map[string]any }
	if err := getJSON(ctx, a.base+"/_app/state", "", &raw); err != nil {
		return nil, err
	}
	h := &holdings{accounts: map[string]*account{}, members: map[string][]string{}}
	names, byID := map[string]bool{}, map[string]string{}
	for _, u := range raw.Users {
		acc := &account{id: text(u, "id"), userName: text(u, "userName"), doc: u}
		acc.active, _ = u["active"].(bool)
		external := text(u, "externalId")
		if folded := strings.ToLower(acc.userName); names[folded] {
			h.doubles = append(h.doubles, "userName "+folded)
		} else {
			names[folded] = true
		}
		if h.accounts[external] != nil {
			h.doubles = append(h.doubles, "externalId "+external)
		}
		h.accounts[external], byID[acc.id] = acc, external
	}
	for _, g := range raw.Groups {
		name := text(g, "displayName")
		if _, twice := h.members[name]; twice {
			h.doubles = append(h.doubles, "group "+name)
		}
		h.members[name] = []string{}
		list, _ := g["members"].([]any)
		for _, m := range list {
			m, _ := m.(map[string]any)
			external := byID[text(m, "value")]
			h.members[name] = append(h.members[name], external)
			if acc := h.accounts[external]; acc != nil {
				acc.groups = append(acc.groups, name)
			}
		}
		slices.Sort(h.members[name])
	}
	for _, acc := range h.accounts {
		slices.Sort(acc.groups)
	}
	return h, nil
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// at reads "name.givenName", "emails.0.value", "urn:…:User.department"; "" where
// there is nothing.
func at(doc map[string]any, path string) string {
	var v any = doc
	rest := path
	if urn, ok := strings.CutPrefix(path, enterpriseURN+"."); ok {
		v, rest = doc[enterpriseURN], urn
	}
	for key := range strings.SplitSeq(rest, ".") {
		switch n := v.(type) {
		case map[string]any:
			v = n[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(n) {
				return ""
			}
			v = n[i]
		default:
			return ""
		}
	}
	s, _ := v.(string)
	return s
}

// differs compares what an application holds with what the oracle says of
// everybody. Accounts of people who are no longer due must be inactive, or gone
// where the application's policy is to delete.
func (w *world) differs(app string, people []*person) error {
	h, err := w.apps[app].state(w.t.Context())
	if err != nil {
		return err
	}
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, d := range h.doubles {
		fault("there twice: %s", d)
	}
	seen := map[string]bool{}
	for _, p := range people {
		seen[p.externalID] = true
		want, have := expected(app, p), h.accounts[p.externalID]
		switch {
		case want == nil && have == nil:
			if w.ever[app][p.externalID] && app != "crm" {
				fault("%s: the account was deleted, it should be disabled", p.userName)
			}
		case want == nil && (have.active || app == "crm"):
			fault("%s: is still there (active %t)", p.userName, have.active)
		case want == nil:
		case have == nil:
			fault("%s: has no account", p.userName)
		default:
			faults = append(faults, want.compare(have)...)
		}
	}
	for external, acc := range h.accounts {
		if !seen[external] {
			fault("%s: nobody knows this account", acc.userName)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	slices.Sort(faults)
	return fmt.Errorf("%s: %d differences:\n  %s", app, len(faults), strings.Join(faults[:min(len(faults), 8)], "\n  "))
}

func (e *expectation) compare(have *account) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, e.userName+": "+fmt.Sprintf(format, args...))
	}
	if have.userName != e.userName {
		fault("userName is %q", have.userName)
	}
	if !have.active {
		fault("is not active")
	}
	for path, want := range e.attrs {
		if got := at(have.doc, path); got != want {
			fault("%s is %q, should be %q", path, got, want)
		}
	}
	if !slices.Equal(have.groups, e.groups) {
		fault("is in %q, should be in %q", have.groups, e.groups)
	}
	return faults
}

// converge waits until every application named holds exactly what the oracle says
// and remembers who had an account there.
func (w *world) converge(limit time.Duration, what string, c *company, apps ...string) {
	w.t.Helper()
	if len(apps) == 0 {
		apps = appNames
	}
	err := awaitErr(w.t.Context(), limit, func() error {
		var errs []error
		for _, app := range apps {
			errs = append(errs, w.differs(app, c.people))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		w.diagnose(err, c)
		w.t.Fatalf("%s: not within %s: %v", what, limit, err)
	}
	for _, app := range apps {
		for _, p := range c.people {
			if expected(app, p) != nil {
				w.ever[app][p.externalID] = true
			}
		}
	}
}

// diagnose logs what the hub says of the first people that a complaint names.
func (w *world) diagnose(complaint error, c *company) {
	w.t.Helper()
	_, out, _ := w.command("target", "list")
	w.t.Log(out)
	shown := 0
	for _, p := range c.people {
		if shown < 3 && strings.Contains(complaint.Error(), p.userName) {
			_, out, errOut := w.command("identity", "show", p.userName)
			w.t.Logf("%+v\n%s%s", p, out, errOut)
			shown++
		}
	}
}

// snapshot is the whole state of all applications.
func (w *world) snapshot() map[string]*holdings {
	w.t.Helper()
	out := map[string]*holdings{}
	for _, name := range appNames {
		h, err := w.apps[name].state(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		out[name] = h
	}
	return out
}

// changes lists, application by application, what differs between two states:
// accounts to the last byte (their version and time of change included), and who
// joined and left which group.
func changes(before, after map[string]*holdings) []string {
	var out []string
	for _, app := range appNames {
		b, a := before[app], after[app]
		for external, acc := range b.accounts {
			switch now := a.accounts[external]; {
			case now == nil:
				out = append(out, app+" account gone "+external)
			case !reflect.DeepEqual(withoutGroups(acc.doc), withoutGroups(now.doc)):
				out = append(out, app+" account changed "+external+changedKeys(acc.doc, now.doc))
			}
		}
		for external := range a.accounts {
			if b.accounts[external] == nil {
				out = append(out, app+" account new "+external)
			}
		}
		for name := range union(b.members, a.members) {
			for _, m := range b.members[name] {
				if !slices.Contains(a.members[name], m) {
					out = append(out, app+" left "+name+" "+m)
				}
			}
			for _, m := range a.members[name] {
				if !slices.Contains(b.members[name], m) {
					out = append(out, app+" joined "+name+" "+m)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// withoutGroups leaves out the memberships, which the application derives.
func withoutGroups(doc map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range doc {
		if k != "groups" {
			out[k] = v
		}
	}
	return out
}

// changedKeys names the attributes that differ, but for meta.
func changedKeys(before, after map[string]any) string {
	var keys []string
	for k := range union(before, after) {
		if k != "groups" && k != "meta" && !reflect.DeepEqual(before[k], after[k]) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return " " + strings.Join(keys, ",")
}

func union[V any](a, b map[string]V) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only maps of scalars come here
	}
	return b
}
