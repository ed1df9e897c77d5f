package fanout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// An attribute that refers to another account, such as the manager, is wanted in a
// source's words. The application wants the id of that person's account there. As long
// as there is none the attribute is left out, and nobody waits for it: the account is
// written again as soon as the other one is there, and when that goes away.

// managerPath is the reference to the manager.
const managerPath = scim.URNEnterprise + ":manager.value"

func isManager(path string) bool { return strings.EqualFold(path, managerPath) }

// reference is one attribute of an account that refers to another.
type reference struct {
	path  string // as the profile names it
	key   string // the attribute of the account that holds it: the path, or what it is a part of
	value string
}

// referencesIn lists the references of an account, by path.
func (p Profile) referencesIn(a model.Account) []reference {
	var out []reference
	for _, path := range p.References {
		whole, isPart := strings.CutSuffix(path, ".value")
		for key, v := range a.Attrs {
			switch {
			case strings.EqualFold(key, path):
				out = append(out, reference{path, key, scalarText(plain(v))})
			case isPart && strings.EqualFold(key, whole):
				m, isMap := v.(map[string]any)
				inner, _ := field(m, "value")
				if isMap && scalarText(plain(inner)) != "" {
					out = append(out, reference{path, key, scalarText(plain(inner))})
				}
			}
		}
	}
	out = slices.DeleteFunc(out, func(r reference) bool { return r.value == "" })
	slices.SortFunc(out, func(a, b reference) int { return strings.Compare(a.path+"\x00"+a.key, b.path+"\x00"+b.key) })
	return slices.CompactFunc(out, func(a, b reference) bool { return a.path == b.path })
}

// referring is the account with a reference as the application wants it; an empty id
// leaves it out. Links belong to the source and are left out, too.
func referring(a model.Account, r reference, id string) model.Account {
	attrs := maps.Clone(a.Attrs)
	a.Attrs = attrs
	m, isMap := attrs[r.key].(map[string]any)
	switch {
	case id == "":
		delete(attrs, r.key)
	case isMap:
		whole, _ := copyValue(m).(map[string]any)
		put(whole, "value", id)
		put(whole, "$ref", nil)
		attrs[r.key] = whole
	default:
		attrs[r.key] = id
	}
	return a
}

// withReferences puts references of wanted accounts into the target's words. keep
// remembers who refers to whom, so that they are due when that account comes or goes.
// What is left out is told by identity, in words.
func withReferences(ctx context.Context, s *store.Store, target string, p Profile, rows []model.AccountRow, keep bool) (out []model.AccountRow, open map[string]string, err error) {
	if len(p.References) == 0 {
		return rows, nil, nil
	}
	var wanted []store.AccountReference
	var identities []string
	places := map[[2]string]reference{}
	for _, row := range rows {
		if isForeign(row) {
			continue
		}
		identities = append(identities, row.Identity)
		if row.Desired == nil {
			continue
		}
		for _, ref := range p.referencesIn(*row.Desired) {
			wanted = append(wanted, store.AccountReference{Identity: row.Identity, Path: ref.path, Value: ref.value})
			places[[2]string{row.Identity, ref.path}] = ref
		}
	}
	if len(wanted) == 0 && !keep {
		return rows, nil, nil
	}
	found, err := s.ResolveReferences(ctx, target, identities, wanted, isManager, keep)
	if err != nil {
		return nil, nil, fmt.Errorf("find whom accounts of target %s refer to: %w", target, err)
	}
	by := map[string][]store.AccountReference{}
	for _, f := range found {
		by[f.Identity] = append(by[f.Identity], f)
	}
	out, open = slices.Clone(rows), map[string]string{}
	for i := range out {
		row := &out[i]
		for _, f := range by[row.Identity] {
			ref := places[[2]string{f.Identity, f.Path}]
			a := referring(*row.Desired, ref, f.RemoteID)
			if row.Desired = &a; f.RemoteID == "" {
				open[row.Identity] = leftOut(ref, f.Referred)
			}
		}
	}
	return out, open, nil
}

func leftOut(ref reference, referred string) string {
	_, name := scimName(ref.path)
	if referred == "" {
		return fmt.Sprintf("%s is left out: nobody the hub knows is %q", name, ref.value)
	}
	return fmt.Sprintf("%s is left out until %q has an account here", name, ref.value)
}

// scimName splits a path into schema and attribute.
func scimName(path string) (urn, attr string) {
	if i := strings.LastIndex(path, ":"); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// references is refer, where a failure concerns the accounts that refer to others.
func (r *runner) references(ctx context.Context, jobs []*job) {
	if err := r.refer(ctx, jobs); err != nil {
		r.log.ErrorContext(ctx, "references cannot be resolved", "error", err)
		for _, j := range jobs {
			j.drop = j.drop || (j.row.Desired != nil && len(r.profile.referencesIn(*j.row.Desired)) > 0)
		}
	}
}

// refer puts the references of jobs into the target's words.
func (r *runner) refer(ctx context.Context, jobs []*job) error {
	var rows []model.AccountRow
	jobs = slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return j.row.Desired == nil })
	for _, j := range jobs {
		rows = append(rows, j.row)
	}
	rows, open, err := withReferences(ctx, r.w.Store, r.target.Name, r.profile, rows, true)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		j.row.Desired, j.lacking = rows[i].Desired, open[j.row.Identity]
	}
	return nil
}
