package hub

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ownerReviewer is the reviewer who answers for the role.
const ownerReviewer = "owner"

// reviewerBook finds out who reviews what, and remembers what it looked up.
type reviewerBook struct {
	tx      *store.Tx
	snap    *Snapshot
	people  map[string]store.Reviewed // who is reviewed
	bosses  map[string]store.Person   // their managers
	above   map[string][]string       // lines of managers
	holders map[string]map[string]store.Person
	users   map[string]Approvers
}

func newReviewerBook(tx *store.Tx, snap *Snapshot) *reviewerBook {
	return &reviewerBook{tx: tx, snap: snap, people: map[string]store.Reviewed{}, bosses: map[string]store.Person{}, above: map[string][]string{},
		holders: map[string]map[string]store.Person{}, users: map[string]Approvers{}}
}

// learn reads people who are reviewed, and their managers.
func (b *reviewerBook) learn(ids []string) error {
	people, err := b.tx.Reviewed(unique(slices.Clone(ids)))
	if err != nil {
		return err
	}
	var managers []string
	for id, p := range people {
		b.people[id] = p
		if p.Manager != "" {
			managers = append(managers, p.Manager)
		}
	}
	managers = unique(managers)
	bosses, err := b.tx.People(managers)
	if err != nil {
		return err
	}
	maps.Copy(b.bosses, bosses)
	above, err := b.tx.Above(managers)
	maps.Copy(b.above, above)
	return err
}

// asked names who can decide about an item in the present stage: identities, and
// role:NAME; or says why there is nobody. Nobody reviews what is their own.
func (b *reviewerBook) asked(c model.Campaign, item model.ReviewItem) (asked []string, nobody string, escalated bool, err error) {
	keys := slices.Clone(c.Stages[min(c.Stage, len(c.Stages)-1)].Reviewers)
	if c.Escalated != nil || c.Extended {
		keys = append(keys, c.Escalate...)
	}
	asked, faults, err := b.resolve(keys, item)
	if err != nil || len(asked) > 0 {
		return asked, "", false, err
	}
	if len(c.Escalate) > 0 {
		more, further, err := b.resolve(c.Escalate, item)
		if err != nil || len(more) > 0 {
			return more, "", true, err
		}
		faults = append(faults, further...)
	}
	if len(faults) == 0 {
		faults = []string{"there is nobody to ask"}
	}
	return nil, andList(unique(faults)), false, nil
}

func (b *reviewerBook) resolve(keys []string, item model.ReviewItem) (asked, faults []string, err error) {
	for _, key := range keys {
		if key == ownerReviewer {
			role, _ := b.snap.Doc.Role(item.Role)
			if key = role.Owner; key == "" {
				faults = append(faults, "nobody is named who answers for "+reviewWhat(item))
				continue
			}
		}
		who, fault, err := b.one(key, item)
		if err != nil {
			return nil, nil, err
		}
		asked = append(asked, who...)
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	return unique(asked), faults, nil
}

// one finds who stands behind one reviewer.
func (b *reviewerBook) one(key string, item model.ReviewItem) (asked []string, fault string, err error) {
	if role, ok := strings.CutPrefix(key, roleApprover); ok {
		holders, err := b.holdersOf(role)
		if err != nil {
			return nil, "", err
		}
		for id, p := range holders {
			if id != item.Identity && here(p.Stage) {
				return []string{key}, "", nil
			}
		}
		return nil, fmt.Sprintf("nobody else holds the role %s", role), nil
	}
	a, err := b.people1(key, item)
	if err != nil {
		return nil, "", err
	}
	ids := slices.DeleteFunc(slices.Concat(a.IDs, a.Away), func(id string) bool { return id == item.Identity })
	if len(ids) == 0 && a.Fault == "" {
		a.Fault = item.Person + " would review themselves"
	}
	return ids, a.Fault, nil
}

// people1 are the people behind manager or user:NAME.
func (b *reviewerBook) people1(key string, item model.ReviewItem) (Approvers, error) {
	if key == managerApprover {
		p := b.people[item.Identity]
		switch {
		case item.Identity == "":
			return Approvers{Fault: "it is nobody's account"}, nil
		case p.Manager == "" && p.Named == "":
			return Approvers{Fault: item.Person + " names no manager"}, nil
		case p.Manager == "":
			return Approvers{Fault: "the manager that " + item.Person + " names is not known"}, nil
		case p.Manager == item.Identity || slices.Contains(b.above[p.Manager], item.Identity):
			return Approvers{Fault: "the line of managers of " + item.Person + " leads back to " + item.Person}, nil
		}
		a := whoCan([]store.Person{b.bosses[p.Manager]}, "")
		a.Fault = onlyWithout(a)
		return a, nil
	}
	if a, known := b.users[key]; known {
		return a, nil
	}
	a, err := resolveApprover(b.tx, Known{}, key)
	if err != nil {
		return a, err
	}
	a.Fault = onlyWithout(a)
	b.users[key] = a
	return a, nil
}

// onlyWithout is why there is nobody; who is away may have deputies, and is asked.
func onlyWithout(a Approvers) string {
	if len(a.IDs)+len(a.Away) > 0 {
		return ""
	}
	return a.Fault
}

func (b *reviewerBook) holdersOf(role string) (map[string]store.Person, error) {
	if h, known := b.holders[role]; known {
		return h, nil
	}
	h, err := b.tx.Holders(role)
	if err == nil {
		b.holders[role] = h
	}
	return h, err
}

// reviewWhat is what an item is about, for people.
func reviewWhat(i model.ReviewItem) string {
	switch {
	case i.Role != "":
		return "the role " + i.Role
	case i.Identity == "":
		return fmt.Sprintf("the account %s at %s", i.Person, i.Target)
	}
	return fmt.Sprintf("the group %s at %s", i.Group, i.Target)
}

// reviewAs is as whom somebody may decide.
type reviewAs struct {
	person string   // themselves, or in whose place
	keys   []string // identity and role:NAME
}

// reviewersOf are all as whom somebody may decide: themselves first, and everybody whose
// deputy they are.
func reviewersOf(tx *store.Tx, id string) ([]reviewAs, error) {
	if id == "" {
		return nil, nil
	}
	people, err := tx.DeputyFor(id)
	if err != nil {
		return nil, err
	}
	people = append([]string{id}, unique(people)...)
	grants, err := tx.Grants(people)
	if err != nil {
		return nil, err
	}
	out := make([]reviewAs, 0, len(people))
	for n, person := range people {
		if n > 0 && person == id {
			continue
		}
		lent, err := tx.Lent(grants[person])
		if err != nil {
			return nil, err
		}
		as := reviewAs{person: person, keys: []string{person}}
		for _, g := range grants[person] {
			if !slices.ContainsFunc(lent, func(l model.Grant) bool { return l.Role == g.Role }) {
				as.keys = append(as.keys, roleApprover+g.Role)
			}
		}
		out = append(out, as)
	}
	return out, nil
}

// allKeys are the keys of all of them.
func allKeys(list []reviewAs) []string {
	keys := []string{}
	for _, as := range list {
		keys = append(keys, as.keys...)
	}
	return unique(keys)
}

// mayReview says as whom somebody may decide about an item; nobody decides about
// themselves, nor a deputy in the place of whom it is about.
func mayReview(list []reviewAs, me string, item model.ReviewItem) (as reviewAs, key string, ok bool) {
	if me == "" || item.Identity == me {
		return as, "", false
	}
	for _, as := range list {
		if as.person == item.Identity {
			continue
		}
		for _, key := range as.keys {
			if slices.Contains(item.Asked, key) {
				return as, key, true
			}
		}
	}
	return as, "", false
}
