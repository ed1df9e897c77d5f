package fanout

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// AwaitsPerson is the class of what a person was asked to do and has not confirmed yet.
// Nothing is wrong with the target, and nothing is repeated: closing the task makes the
// account due.
const AwaitsPerson Class = "awaits-person"

// How soon an account that waits for a person is looked at again though the task is
// open: where the target can be read, what was done shows without anybody's word.
const (
	lookLeaver = time.Minute
	lookReads  = 15 * time.Minute
	lookManual = 6 * time.Hour
)

// Defaults of tasks at targets that are not manual.
const (
	taskDue       = 3 * 24 * time.Hour
	taskDueLeaver = 4 * time.Hour
)

// asked waits for a person to carry changes of one account out: nil once they say that
// it is done, AwaitsPerson until then, Invalid where they refused. What was done counts
// for the wish of that time alone: the same change wanted again later is asked anew.
func (r *runner) asked(ctx context.Context, j *job, kind model.TaskKind, changes []model.Change) error {
	found, err := r.w.Store.TasksAbout(ctx, r.target.Name, true, j.row.Identity)
	if err != nil {
		return &ClientError{Class: Invalid, Detail: "the tasks cannot be read", Err: err}
	}
	digest := taskDigest(r.target.Name, changes)
	for _, t := range slices.Backward(found) {
		if t.Kind != kind || t.Digest != digest {
			continue
		}
		switch {
		case t.Open():
			return r.stillAsked(ctx, t, j.row.Generation)
		case t.Generation != j.row.Generation:
			continue
		case t.Outcome == model.TaskRefused:
			return &ClientError{Class: Invalid, Detail: fmt.Sprintf("%s refused it: %s (task %s)", t.DoneBy, t.Proof, t.ID)}
		case t.Outcome == model.TaskDone:
			j.tasks = append(j.tasks, t.ID)
			return nil
		}
	}
	t, err := r.newTask(kind, j.row, changes, digest)
	if err != nil {
		return err
	}
	err = r.w.Store.Update(ctx, func(tx *store.Tx) error {
		if t.Assignee, err = r.assignee(tx, j.row.Identity); err != nil {
			return err
		}
		return tx.AddTask(t)
	})
	if err != nil {
		return &ClientError{Class: Invalid, Detail: "the task cannot be stored", Err: err}
	}
	return awaiting(t)
}

// stillAsked binds an open task to the wish of now.
func (r *runner) stillAsked(ctx context.Context, t model.Task, generation int64) error {
	if t.Generation == generation {
		return awaiting(t)
	}
	err := r.w.Store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.LockTask(t.ID)
		if err != nil || !now.Open() {
			return err
		}
		now.Generation = generation
		return tx.SaveTask(now)
	})
	if err != nil {
		return &ClientError{Class: Invalid, Detail: "the task cannot be stored", Err: err}
	}
	return awaiting(t)
}

func awaiting(t model.Task) *ClientError {
	return &ClientError{Class: AwaitsPerson, Detail: fmt.Sprintf("waits for a person: task %s, due %s", t.ID, t.Due.UTC().Format("2006-01-02 15:04 MST"))}
}

func (r *runner) newTask(kind model.TaskKind, row model.AccountRow, changes []model.Change, digest string) (model.Task, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return model.Task{}, &ClientError{Class: Invalid, Err: err}
	}
	now := r.w.Store.Now()
	due, dueLeaver, proof := taskDue, taskDueLeaver, false
	if m := r.target.Manual; m != nil {
		due, dueLeaver, proof = cmp.Or(m.Due, due), cmp.Or(m.DueLeave, dueLeaver), m.Proof
	}
	t := model.Task{ID: id.String(), Kind: kind, Target: r.target.Name, Identity: row.Identity, UserName: nameOf(row), Digest: digest,
		What: taskWords(r.target.Name, row, changes), Changes: changes, NeedsProof: proof, Created: now, Due: now.Add(due), Generation: row.Generation}
	if row.Leaver && row.Desired == nil && t.Removes() {
		t.Urgent, t.Due = true, now.Add(dueLeaver)
	}
	return t, nil
}

// assignee is who has to do tasks about somebody at a manual target.
func (r *runner) assignee(tx *store.Tx, identity string) (string, error) {
	m := r.target.Manual
	switch {
	case m == nil || m.Assignee == "":
		return "", nil
	case strings.HasPrefix(m.Assignee, "role:"):
		return m.Assignee, nil
	case m.Assignee == "manager":
		return managerHere(tx, identity)
	}
	id, _, err := personHere(tx, m.Assignee)
	return id, err
}

// personHere finds somebody who is here, by userName or id; empty: nobody.
func personHere(tx *store.Tx, name string) (id, found string, err error) {
	row, err := tx.FindIdentity(name)
	switch model.CodeOf(err) {
	case model.NotFound, model.Conflict:
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	if row.Stage != model.Active && row.Stage != model.Leave {
		return "", "", nil
	}
	return row.ID, row.Name, nil
}

// managerHere is somebody's manager, the manager's deputy while the manager is away, or
// nobody.
func managerHere(tx *store.Tx, identity string) (string, error) {
	id, err := tx.ManagerOf(identity)
	if err != nil || id == "" {
		return "", err
	}
	deputies, err := tx.DeputiesOf([]string{id})
	if err != nil {
		return "", err
	}
	people, err := tx.People(append([]string{id}, deputies[id]...))
	if err != nil {
		return "", err
	}
	switch people[id].Stage {
	case model.Active:
		return id, nil
	case model.Leave:
		for _, d := range deputies[id] {
			if people[d].Stage == model.Active {
				return d, nil
			}
		}
	}
	return "", nil
}

// taskDigest names a set of changes, whatever their order.
func taskDigest(target string, changes []model.Change) string {
	all := make([]string, len(changes))
	for i, c := range changes {
		all[i] = Digest(target, c)
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "\n")))
	return hex.EncodeToString(sum[:16])
}

// concludeAsked is the state of a row that a person was asked about.
func (r *runner) concludeAsked(j *job, e *ClientError, now time.Time) {
	row := &j.row
	j.failed = nil // nothing was tried
	row.State, row.Due, row.LastError, row.ErrorClass = model.StatePending, true, e.Detail, string(e.Class)
	switch {
	case r.target.Manual != nil:
		row.NextAttempt = now.Add(lookManual)
	case row.Leaver:
		row.NextAttempt = now.Add(lookLeaver)
	default:
		row.NextAttempt = now.Add(lookReads)
	}
	if row.Applied == nil && creates(j) {
		row.Owned = model.OwnedCreating // whoever is asked may do it at any moment
	}
}

// taskChanges are what outcomes make of the tasks about their accounts. They are stored
// with them: a transfer is that of the moment at which access ended, which another
// attempt would set anew.
type taskChanges struct {
	r          *runner
	over, used []string // ids
	open       []model.Task
}

// taskChanges closes the open tasks of accounts that want something else by now, and
// opens the transfers that a planned deletion needs.
func (r *runner) taskChanges(ctx context.Context, jobs []*job) (taskChanges, error) {
	c := taskChanges{r: r}
	var ids []string
	transfers := false
	by := map[string]*job{}
	for _, j := range jobs {
		if j.drop || (j.err != nil && ClassOf(j.err) != AwaitsPerson) {
			continue
		}
		by[j.row.Identity] = j
		ids = append(ids, j.row.Identity)
		if j.err == nil {
			c.used = append(c.used, j.tasks...)
		}
		transfers = transfers || r.needsTransfer(j.row)
	}
	if len(ids) == 0 {
		return c, nil
	}
	slices.Sort(ids)
	found, err := r.w.Store.TasksAbout(ctx, r.target.Name, transfers, ids...)
	if err != nil {
		return c, fmt.Errorf("read the tasks about accounts: %w", err)
	}
	have := map[string]bool{}
	for _, t := range found {
		have[t.Identity+" "+string(t.Kind)+" "+t.Digest] = true
		if t.Open() && !r.wants(by[t.Identity], t) {
			c.over = append(c.over, t.ID)
		}
	}
	if !transfers {
		return c, nil
	}
	for _, id := range ids {
		row := by[id].row
		if !r.needsTransfer(row) || have[id+" "+string(model.TaskTransfer)+" "+transferDigest(row)] {
			continue
		}
		t, err := r.newTransfer(row)
		if err != nil {
			return c, err
		}
		c.open = append(c.open, t)
	}
	return c, nil
}

func (c taskChanges) none() bool { return len(c.over) == 0 && len(c.used) == 0 && len(c.open) == 0 }

// save stores them, under the lock of their accounts.
func (c taskChanges) save(tx *store.Tx) error {
	for _, id := range c.over {
		if err := obsolete(tx, id); err != nil {
			return err
		}
	}
	for _, id := range c.used {
		if err := tx.UseTask(id); err != nil {
			return err
		}
	}
	for _, t := range c.open {
		if err := c.r.openTransfer(tx, t); err != nil {
			return err
		}
	}
	return nil
}

func obsolete(tx *store.Tx, id string) error {
	t, err := tx.LockTask(id)
	if err != nil || !t.Open() {
		return err
	}
	now := tx.Now
	t.DoneAt, t.DoneBy, t.Outcome, t.Auto, t.NextAt = &now, "hub", model.TaskObsolete, false, nil
	if err := tx.SaveTask(t); err != nil {
		return err
	}
	return tx.TellTask("hub", "task.obsolete", t)
}

// wants reports whether an open task is about what the account still needs.
func (r *runner) wants(j *job, t model.Task) bool {
	if t.Kind == model.TaskTransfer {
		return r.needsTransfer(j.row) && t.Digest == transferDigest(j.row)
	}
	if t.Kind == model.TaskManual {
		return t.Digest == taskDigest(r.target.Name, unheld(j.changes))
	}
	return slices.ContainsFunc(j.changes, func(c model.Change) bool {
		return c.Held == "" && c.ByPerson && t.Digest == taskDigest(r.target.Name, []model.Change{c})
	})
}

func unheld(changes []model.Change) []model.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c model.Change) bool { return c.Held != "" })
}

// wakeAsked looks once more, after it was stored that accounts wait for a person, whether
// that is so: somebody may have been quicker than the store.
func (r *runner) wakeAsked(ctx context.Context, jobs []*job) {
	var ids []string
	for _, j := range jobs {
		if !j.drop && (ClassOf(j.err) == AwaitsPerson || j.row.LastError == heldTransfer) {
			ids = append(ids, j.row.Identity)
		}
	}
	if len(ids) == 0 {
		return
	}
	woken, err := r.w.Store.AskedAgain(context.WithoutCancel(ctx), r.target.Name, heldTransfer, ids)
	if err != nil {
		r.log.ErrorContext(ctx, "accounts that wait for tasks cannot be looked at", "error", err)
	}
	if woken > 0 {
		signal(r.wakeUrgent)
		signal(r.wakeNormal)
	}
}
