package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// groupBatch is how many source groups are looked at in one transaction.
const groupBatch = 100

// EvaluateGroups looks at marked source groups, and at the roles after a change of the
// configuration, and stores which groups the targets should have because of them. It
// returns how many marks it took. A group exists at a target because something grants
// it, whoever is in it; who is, is decided person by person.
func (h *Hub) EvaluateGroups(ctx context.Context) (int, error) {
	snap := h.Snapshot()
	if snap == nil {
		return 0, nil
	}
	marked, err := h.Store.GroupsMarked(ctx)
	if err != nil || !marked {
		return 0, err
	}
	n := 0
	targets := map[string]bool{}
	err = h.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		clear(targets)
		n = 0
		stale, err := tx.NewerConfig(snap.Version)
		if err != nil || stale { // whoever has the newer one does it
			return err
		}
		marks, err := tx.TakeGroupMarks(groupBatch)
		if err != nil {
			return err
		}
		e := groupEvaluation{tx: tx, snap: snap, touched: targets}
		for _, m := range marks {
			if err := e.survive(m); err != nil {
				return fmt.Errorf("source group %s: %w", m.Group, err)
			}
			if err := tx.UnmarkGroup(m); err != nil {
				return err
			}
		}
		n = len(marks)
		if len(e.entries) == 0 {
			return nil
		}
		return tx.Audit(e.entries...)
	})
	if err != nil {
		return 0, fmt.Errorf("groups of targets: %w", err)
	}
	h.nudgeAll(targets)
	return n, nil
}

// groupsAhead is how many batches of source groups people wait for at most.
const groupsAhead = 20

// groupsBefore has the source groups looked at that were marked with some people: were
// the people decided about before the group they are in has its new name, another group
// would be made for them. False: they cannot be worked out.
func (h *Hub) groupsBefore(ctx context.Context) bool {
	for range groupsAhead {
		n, err := h.EvaluateGroups(ctx)
		if err != nil && ctx.Err() == nil {
			h.Log.ErrorContext(ctx, "groups of targets cannot be worked out", "error", err)
		}
		if err != nil || n == 0 {
			return err == nil
		}
	}
	return true
}

// renamedTries is how often people wait for groups that are renamed again and again before
// they are decided about all the same. For what cannot be worked out nobody waits.
const renamedTries = 20

// groupEvaluation is one transaction's work.
type groupEvaluation struct {
	tx      *store.Tx
	snap    *Snapshot
	touched map[string]bool // targets with something to do
	entries []store.AuditEntry
}

func (e *groupEvaluation) mark(m store.GroupMark) error {
	if m.Group == store.EverySourceGroup {
		if err := e.roles(); err != nil {
			return err
		}
		return e.tx.MarkEachGroup()
	}
	return e.sourceGroup(m.Group)
}

// roles brings what roles grant in line with the configuration.
func (e *groupEvaluation) roles() error {
	granted := map[string]map[string][]string{} // role -> target -> groups
	for _, r := range e.snap.Doc.Roles {
		granted[r.Name] = map[string][]string{}
		for _, ent := range r.Grants {
			if _, there := e.snap.Doc.Target(ent.Target); there && ent.Group != "" {
				granted[r.Name][ent.Target] = append(granted[r.Name][ent.Target], ent.Group)
			}
		}
	}
	before, err := e.tx.GrantingRoles()
	if err != nil {
		return err
	}
	for _, name := range before {
		if granted[name] == nil {
			granted[name] = map[string][]string{}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(granted)) {
		if err := e.settle(store.GroupOrigin{Kind: store.OriginRole, Ref: name}, granted[name]); err != nil {
			return fmt.Errorf("role %s: %w", name, err)
		}
	}
	return nil
}

// survive is mark; a panic is an error like any other.
func (e *groupEvaluation) survive(m store.GroupMark) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return e.mark(m)
}

// sourceGroup brings what a source group grants in line with what it is now.
func (e *groupEvaluation) sourceGroup(id string) error {
	m, there, err := e.tx.SourceGroup(id)
	if err != nil {
		return err
	}
	granted := map[string][]string{}
	if there {
		for _, t := range e.snap.Doc.Targets {
			if e.snap.Policy.Mirrors(t.Name, m) {
				granted[t.Name] = []string{m.Display}
			}
		}
	}
	return e.settle(store.GroupOrigin{Kind: store.OriginMirror, Ref: id, Source: m.Source}, granted)
}

// settle compares what one origin grants with what is stored of it.
func (e *groupEvaluation) settle(of store.GroupOrigin, granted map[string][]string) error {
	before, err := e.tx.Granting(of.Kind, of.Ref)
	if err != nil {
		return err
	}
	targets := slices.Collect(maps.Keys(before))
	targets = append(targets, slices.Collect(maps.Keys(granted))...)
	slices.Sort(targets)
	for _, target := range slices.Compact(targets) {
		if err := e.settleAt(target, of, before[target], granted[target]); err != nil {
			return fmt.Errorf("target %s: %w", target, err)
		}
	}
	return nil
}

func (e *groupEvaluation) settleAt(target string, of store.GroupOrigin, before []store.GroupOrigin, labels []string) error {
	slices.Sort(labels)
	labels = slices.Compact(labels)
	if of.Kind == store.OriginMirror && len(before) == 1 && len(labels) == 1 && before[0].Label != labels[0] {
		return e.renamed(target, before[0], labels[0])
	}
	for _, label := range labels {
		if slices.ContainsFunc(before, func(o store.GroupOrigin) bool { return o.Label == label }) {
			continue
		}
		next := of
		next.Label = label
		if err := e.attach(target, next); err != nil {
			return err
		}
	}
	for _, old := range before {
		if !slices.Contains(labels, old.Label) {
			if err := e.detach(target, old); err != nil {
				return err
			}
		}
	}
	return nil
}

// renamed follows a source group to its new name. The group at the target is renamed,
// too, if nothing else grants it and no other is called so already; else the source
// group is mirrored to another one from now on.
func (e *groupEvaluation) renamed(target string, old store.GroupOrigin, label string) error {
	row, known, err := e.tx.GroupNamed(target, old.Name)
	if err != nil {
		return err
	}
	next := old
	next.Label = label
	taken, exists, err := e.tx.GroupNamed(target, label)
	if err != nil {
		return err
	}
	same := exists && known && taken.Name == row.Name // its own name in other letters, or one it had before
	free := !exists || same || taken.RemoteID == "" && taken.Owned == "" && len(taken.Origins) == 0
	if known && len(row.Origins) == 1 && free {
		if exists && !same {
			if err := e.tx.DropGroup(target, taken.Name); err != nil {
				return err
			}
		}
		if err := e.tx.RenameWanted(row, label); err != nil {
			return err
		}
		if err := e.tx.DropOrigin(target, old); err != nil {
			return err
		}
		next.Name = label
		if err := e.tx.AddOrigin(target, next); err != nil {
			return err
		}
		return e.note(target, "group.renamed", label, map[string]any{"from": row.Name, "because": originText(next)})
	}
	if err := e.attach(target, next); err != nil {
		return err
	}
	return e.detach(target, old)
}

// attach says that something grants a group, which is made known if it is not.
func (e *groupEvaluation) attach(target string, o store.GroupOrigin) error {
	row, known, err := e.tx.GroupNamed(target, o.Label)
	if err != nil {
		return err
	}
	if known && scim.Fold(row.Name) != scim.Fold(o.Label) { // another group was called so once
		known = false
	}
	if !known {
		row = store.TargetGroup{Target: target, Name: o.Label, Wanted: true, State: string(model.StatePending), Due: true, NextAttempt: e.tx.Now}
		if err := e.tx.AddGroup(row); err != nil {
			return err
		}
	}
	o.Name = row.Name
	if err := e.tx.AddOrigin(target, o); err != nil {
		return err
	}
	if known && row.Wanted {
		return nil
	}
	if known {
		if err := e.tx.WantGroup(target, row.Name, true); err != nil {
			return err
		}
	}
	return e.note(target, "group.wanted", row.Name, map[string]any{"because": originText(o)})
}

// detach says that something does not grant a group any longer. What nothing grants is
// treated by the target's rule for groups.
func (e *groupEvaluation) detach(target string, o store.GroupOrigin) error {
	if err := e.tx.DropOrigin(target, o); err != nil {
		return err
	}
	row, known, err := e.tx.GroupNamed(target, o.Name)
	if err != nil || !known || len(row.Origins) > 0 || row.Name != o.Name || !row.Wanted {
		return err
	}
	if row.RemoteID == "" && row.Owned == "" { // it was never made
		if err := e.tx.DropGroup(target, row.Name); err != nil {
			return err
		}
	} else if err := e.tx.WantGroup(target, row.Name, false); err != nil {
		return err
	}
	return e.note(target, "group.unwanted", row.Name, map[string]any{"because": originText(o) + " no longer"})
}

func (e *groupEvaluation) note(target, action, group string, data map[string]any) error {
	data["group"] = group
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	e.touched[target] = true
	e.entries = append(e.entries, store.AuditEntry{Actor: "hub", Action: "target." + action, Object: "target/" + target, Data: body})
	return nil
}

// originText says in words what grants a group.
func originText(o store.GroupOrigin) string {
	if o.Kind == store.OriginRole {
		return fmt.Sprintf("role %s grants it", o.Ref)
	}
	return fmt.Sprintf("source group %q of %s is mirrored", o.Label, o.Source)
}
