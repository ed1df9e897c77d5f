package hub

import (
	"maps"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// namedManagers tells whom people name as their manager, by identity: as the merged
// record will say it, with the source that says so.
func namedManagers(snap *Snapshot, facts store.Facts) map[string]store.NamedManager {
	out := make(map[string]store.NamedManager, len(facts.Rows))
	for id, row := range facts.Rows {
		if len(facts.Users[id]) == 0 { // deleted at the source: what was known last still names the manager
			out[id] = store.NamedManager{Source: row.Origin[scim.URNEnterprise+":manager"], Value: managerOf(row.User)}
			continue
		}
		var saying []model.SourceResource
		for _, u := range facts.Users[id] {
			if manager := managerOf(u.Attrs); manager != "" {
				enterprise, _ := u.Attrs[scim.URNEnterprise].(map[string]any)
				only := map[string]any{scim.URNEnterprise: map[string]any{"manager": enterprise["manager"]}}
				saying = append(saying, model.SourceResource{Source: u.Source, ID: u.ID, Attrs: only, Modified: u.Modified})
			}
		}
		out[id] = store.NamedManager{}
		if len(saying) > 0 {
			user, origin := model.Merge(saying, snap.Doc.Identity.Authority, snap.Doc.SourceNames())
			out[id] = store.NamedManager{Source: origin[scim.URNEnterprise+":manager"], Value: managerOf(user)}
		}
	}
	return out
}

func (k *Known) setManager(m *store.Manager) {
	if m == nil {
		return
	}
	k.noted = store.ManagerSet{Identity: k.Row.ID, Manager: m.Before, Named: m.NamedBefore}
	if m.Named != "" {
		manager := m.Manager
		k.Manager = &manager
	}
}

// managerNow is the manager as it is to be noted.
func (k Known) managerNow() store.ManagerSet {
	set := store.ManagerSet{Identity: k.Row.ID}
	if k.Manager != nil {
		set.Manager, set.Named = k.Manager.ID, store.NamedForm(k.Manager.Named)
	}
	return set
}

// decided is one person's decision beside what it rests on.
type decided struct {
	d Decision
	k Known
}

// tellOthers marks whoever may be concerned by what was decided about others: the
// reports of a manager who comes, leaves or goes away, the people about whom somebody
// is asked, and those in a line of managers that has become a circle or is one no more.
func (h *Hub) tellOthers(tx *store.Tx, list []decided) error {
	var sets []store.ManagerSet
	var managers, asked, names []string
	before := map[string]string{}
	for _, e := range list {
		if now := e.k.managerNow(); now != e.k.noted && !e.d.Purge {
			sets = append(sets, now)
			before[now.Identity] = e.k.noted.Manager
		}
		row := e.k.Row
		if row.Stage != e.d.Stage {
			asked = append(asked, row.ID)
			if row.Stage != "" {
				managers = append(managers, row.ID)
			}
		}
		if row.EvaluatedAt != nil && row.Name != e.d.Identity.Name() { // user:NAME is somebody else from now on, or nobody
			asked = append(asked, row.ID)
		}
		for _, role := range slices.Concat(e.d.Gained, e.d.Lost) {
			asked = append(asked, roleApprover+role)
		}
		if row.EvaluatedAt == nil || row.Name != e.d.Identity.Name() || row.User["externalId"] != e.d.Identity.User["externalId"] {
			names = append(names, namesOf(e.k)...)
		}
	}
	if err := tx.SetManagers(sets); err != nil {
		return err
	}
	people, err := inCircles(tx, sets, before)
	if err != nil {
		return err
	}
	for _, find := range []struct {
		by   []string
		find func([]string) ([]string, error)
	}{{managers, tx.Reports}, {unique(asked), tx.AskedAbout}, {unique(names), tx.WaitingFor}} {
		found, err := find.find(find.by)
		if err != nil {
			return err
		}
		people = append(people, found...)
	}
	return tx.Mark(false, unique(people)...)
}

// namesOf is by what other people's records may name somebody.
func namesOf(k Known) (out []string) {
	for _, u := range k.Users {
		out = append(out, store.NamedForm(u.ID))
		for _, attr := range []string{"externalId", "userName"} {
			if text, _ := u.Attrs[attr].(string); text != "" {
				out = append(out, store.NamedForm(text))
			}
		}
	}
	return out
}

// inCircles lists who is in a circle of managers that these changes closed or opened.
func inCircles(tx *store.Tx, sets []store.ManagerSet, before map[string]string) (out []string, err error) {
	starts := map[string]bool{}
	for _, s := range sets {
		for _, m := range []string{s.Manager, before[s.Identity]} {
			if m != "" {
				starts[m] = true
			}
		}
	}
	above, err := tx.Above(slices.Sorted(maps.Keys(starts)))
	if err != nil {
		return nil, err
	}
	for _, s := range sets {
		for _, m := range []string{s.Manager, before[s.Identity]} {
			if slices.Contains(above[m], s.Identity) {
				out = append(out, above[m]...)
			}
		}
	}
	return out, nil
}

// unique sorts a list and drops what is in it twice.
func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
