package hub

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// The forms of a configured approver.
const (
	managerApprover = "manager"
	roleApprover    = "role:"
	userApprover    = "user:"
)

// Approvers are the people who may answer for one configured approver.
type Approvers struct {
	IDs      []string            // at work, sorted
	Away     []string            // on leave: only their deputies answer; sorted
	Deputies map[string][]string // by the person in whose place; at work themselves
	Names    map[string]string   // of all of them, by identity
	Fault    string              // why there is nobody, in words
}

// approversOf finds who could answer what waits of a person. Of requests that nobody is
// asked about only the manager is of interest, who may be asked when the person moves;
// that costs no look into the database, for there are many such requests.
func approversOf(tx *store.Tx, snap *Snapshot, k Known) (map[string]Approvers, error) {
	requests := slices.Concat(k.Requests, k.asked)
	if len(requests) == 0 {
		return nil, nil
	}
	var keys []string
	for _, r := range requests {
		if waiting(r) != nil {
			role, _ := snap.Doc.Role(r.Role)
			keys = append(append(keys, managerApprover), approverKeys(r, role.Request)...)
		}
	}
	if len(keys) == 0 {
		return map[string]Approvers{managerApprover: managerApprovers(k)}, nil
	}
	return resolveApprovers(tx, k, unique(keys))
}

// resolveApprovers finds the people behind configured approvers.
func resolveApprovers(tx *store.Tx, k Known, keys []string) (map[string]Approvers, error) {
	out := map[string]Approvers{}
	for _, key := range keys {
		a, err := resolveApprover(tx, k, key)
		if err != nil {
			return nil, fmt.Errorf("approver %s: %w", key, err)
		}
		if out[key], err = withDeputies(tx, a); err != nil {
			return nil, fmt.Errorf("deputies of %s: %w", key, err)
		}
	}
	return out, nil
}

func resolveApprover(tx *store.Tx, k Known, key string) (Approvers, error) {
	if role, ok := strings.CutPrefix(key, roleApprover); ok {
		people, err := tx.Holders(role)
		return whoCan(slices.Collect(maps.Values(people)), "nobody holds the role "+role), err
	}
	if name, ok := strings.CutPrefix(key, userApprover); ok {
		row, err := tx.FindIdentity(name)
		switch model.CodeOf(err) {
		case model.NotFound:
			return Approvers{Fault: fmt.Sprintf("there is nobody of the name %s", name)}, nil
		case model.Conflict:
			return Approvers{Fault: fmt.Sprintf("several people have the name %s", name)}, nil
		}
		if err != nil {
			return Approvers{}, err
		}
		return whoCan([]store.Person{{ID: row.ID, Name: row.Name, Stage: row.Stage}}, ""), nil
	}
	return managerApprovers(k), nil
}

func managerApprovers(k Known) Approvers {
	name := k.Row.Name
	switch m := k.Manager; {
	case m == nil:
		return Approvers{Fault: name + " names no manager"}
	case m.ID == "":
		return Approvers{Fault: fmt.Sprintf("the manager that %s names, %q, is not known", name, m.Named)}
	case m.Circle:
		return Approvers{Fault: "the line of managers of " + name + " leads back to " + name}
	default:
		a := whoCan([]store.Person{{ID: m.ID, Name: m.Name, Stage: m.Stage}}, "")
		if a.Fault != "" {
			a.Fault = fmt.Sprintf("%s, the manager of %s, %s", m.Name, name, stageWords(m.Stage))
		}
		return a
	}
}

// whoCan sorts people by whether they are here to answer.
func whoCan(people []store.Person, nobody string) Approvers {
	a := Approvers{Names: map[string]string{}, Fault: nobody}
	slices.SortFunc(people, func(x, y store.Person) int { return strings.Compare(x.ID, y.ID) })
	for _, p := range people {
		a.Names[p.ID] = p.Name
		switch p.Stage {
		case model.Active:
			a.IDs = append(a.IDs, p.ID)
		case model.Leave:
			a.Away = append(a.Away, p.ID)
		default:
			a.Fault = p.Name + " " + stageWords(p.Stage)
		}
	}
	switch {
	case len(a.IDs) > 0:
		a.Fault = ""
	case len(a.Away) > 0:
		a.Fault = a.Names[a.Away[0]] + " is on leave and has no deputy"
	}
	return a
}

func stageWords(s model.Stage) string {
	switch s {
	case model.Leaver, model.Purged:
		return "has left"
	case model.Prehire:
		return "has not started yet"
	case model.Leave:
		return "is on leave"
	}
	return "was not looked at yet"
}

// withDeputies adds who answers in the place of the approvers. A deputy's own
// deputies do not count.
func withDeputies(tx *store.Tx, a Approvers) (Approvers, error) {
	found, err := tx.DeputiesOf(slices.Concat(a.IDs, a.Away))
	if err != nil || len(found) == 0 {
		return a, err
	}
	people, err := tx.People(unique(slices.Concat(slices.Collect(maps.Values(found))...)))
	if err != nil {
		return a, err
	}
	a.Deputies = map[string][]string{}
	for person, deputies := range found {
		for _, id := range deputies {
			if p, ok := people[id]; ok && p.Stage == model.Active {
				a.Names[id] = p.Name
				a.Deputies[person] = append(a.Deputies[person], id)
			}
		}
	}
	return a, nil
}
