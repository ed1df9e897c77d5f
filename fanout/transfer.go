package fanout

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Before an account is deleted, what its owner has there is handed on (leaver.transfer:
// required): the account is switched off, an item opens, due before the deletion, and
// the deletion waits until it is done. The item is carried out through the
// application's own API where the configuration says how, else by a person.

const transferBatch = 20 // transfers looked at in a round

// needsTransfer reports whether a deletion of the row's account is planned for which
// nothing was handed on yet.
func (r *runner) needsTransfer(row model.AccountRow) bool {
	if r.target.Leaver.Transfer != "required" || row.Invited || transferred(row) || row.Applied == nil || row.Applied.Active {
		return false
	}
	_, planned := deletionPlanned(r.target, r.profile, row)
	return planned
}

// transferDigest names the transfer of one time that somebody's access ended.
func transferDigest(row model.AccountRow) string {
	at := int64(0)
	if row.DisabledAt != nil {
		at = row.DisabledAt.UnixMicro()
	}
	sum := sha256.Sum256([]byte("transfer\n" + row.Target + "\n" + row.Identity + "\n" + strconv.FormatInt(at, 10)))
	return hex.EncodeToString(sum[:16])
}

func (r *runner) newTransfer(row model.AccountRow) (model.Task, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return model.Task{}, fmt.Errorf("new id: %w", err)
	}
	now := r.w.Store.Now()
	due, _ := deletionPlanned(r.target, r.profile, row)
	if !due.After(now) {
		due = now.Add(taskDue)
	}
	t := model.Task{ID: id.String(), Kind: model.TaskTransfer, Target: r.target.Name, Identity: row.Identity, UserName: nameOf(row),
		Digest: transferDigest(row), NeedsProof: true, Created: now, Due: due, Generation: row.Generation}
	if r.target.Leaver.Connector != nil {
		t.Auto, t.NextAt = true, &now
	}
	return t, nil
}

// openTransfer stores an item with who gets what is handed on.
func (r *runner) openTransfer(tx *store.Tx, t model.Task) error {
	who, name, err := r.successor(tx, t.Identity)
	if err != nil {
		return err
	}
	t.Successor, t.Assignee = who, who
	to := "to whom, an operator decides (nobody was found as successor)"
	if who != "" {
		to = "to " + printable(name)
	}
	t.What = fmt.Sprintf("at %s: hand on what %s owns there, %s; the account is deleted afterwards, not before", t.Target, printable(t.UserName), to)
	if who == "" && t.Auto {
		t.Auto, t.NextAt = false, nil
	}
	return tx.AddTask(t)
}

// successor is who gets what somebody owned: the manager, or the manager's deputy, or
// who is named in the configuration. Empty: nobody who is here.
func (r *runner) successor(tx *store.Tx, identity string) (id, name string, err error) {
	if s := cmp.Or(r.target.Leaver.Successor, "manager"); s != "manager" {
		return personHere(tx, s)
	}
	if id, err = managerHere(tx, identity); err != nil || id == "" {
		return "", "", err
	}
	people, err := tx.People([]string{id})
	return id, people[id].Name, err
}

// transferRound carries out the transfers that are due through the application's API.
func (r *runner) transferRound(soft, hard context.Context) error {
	if r.target.Leaver.Connector == nil || r.target.Manual != nil {
		return nil
	}
	tasks, err := r.w.Store.AutoTasks(soft, r.target.Name, transferBatch)
	if err != nil || len(tasks) == 0 {
		return err
	}
	if ready, err := r.mayWork(soft); err != nil || !ready {
		return err
	}
	return r.leased(soft, hard, func(soft, hard context.Context) error {
		tasks, err := r.w.Store.AutoTasks(soft, r.target.Name, transferBatch)
		for _, t := range tasks {
			if soft.Err() != nil {
				break
			}
			err = errors.Join(err, survive(r.log, func() error { return r.transfer(hard, t) }))
		}
		return err
	})
}

// transfer makes one transfer, at most once: what was sent and not heard of is for a
// person to look into.
func (r *runner) transfer(ctx context.Context, t model.Task) error {
	if t.SentAt != nil {
		return r.handOver(ctx, t.ID, "a request to hand it on was sent and its outcome was not heard of: look there whether it was carried out")
	}
	call, words, err := r.prepare(ctx, t)
	if err != nil {
		return err
	}
	if words != "" {
		return r.handOver(ctx, t.ID, words)
	}
	now := r.w.Store.Now()
	begun, err := r.change(ctx, t.ID, "", func(t *model.Task) { t.SentAt = &now })
	if err != nil || !begun {
		return err
	}
	var done evidence
	err = r.timed("transfer", func() (err error) {
		done, err = r.conn.(*Client).call(ctx, call)
		return err
	})
	return r.heard(context.WithoutCancel(ctx), t, done, err)
}

// heard stores what became of the request.
func (r *runner) heard(ctx context.Context, t model.Task, done evidence, err error) error {
	now := r.w.Store.Now()
	if err == nil {
		_, err = r.change(ctx, t.ID, "task.done", func(t *model.Task) {
			t.DoneAt, t.DoneBy, t.Outcome, t.Auto, t.NextAt, t.LastError = &now, "hub", model.TaskDone, false, nil, ""
			t.Proof = fmt.Sprintf("%s answered %d on %s: %s", r.target.Name, done.status, now.Format(time.RFC3339), done.text)
		})
		if err == nil {
			r.nudge()
		}
		return err
	}
	e := asClientError(err)
	again := e.Class == Throttled || e.Class == Network || e.Class == Credentials || e.Status == http.StatusServiceUnavailable
	if !again {
		return r.handOver(ctx, t.ID, "the application's API did not hand it on: "+e.Error())
	}
	_, err = r.change(ctx, t.ID, "", func(t *model.Task) {
		t.Attempts++
		next := NextAttempt(RetryFacts{Key: t.ID, Attempts: t.Attempts}, e.Class, e.RetryAfter, now)
		t.SentAt, t.NextAt, t.LastError = nil, &next, e.Error()
	})
	return err
}

// handOver makes an automatic transfer a person's.
func (r *runner) handOver(ctx context.Context, id, why string) error {
	_, err := r.change(ctx, id, "task.handed_over", func(t *model.Task) {
		t.Auto, t.NextAt, t.LastError = false, nil, why
	})
	return err
}

// change stores a change of an open task, and tells of it where an action is named.
func (r *runner) change(ctx context.Context, id, action string, fn func(*model.Task)) (changed bool, err error) {
	err = r.w.Store.Update(ctx, func(tx *store.Tx) error {
		t, err := tx.LockTask(id)
		if changed = err == nil && t.Open(); !changed {
			return err
		}
		fn(&t)
		if err := tx.SaveTask(t); err != nil {
			return err
		}
		if !t.Open() {
			if err := tx.TaskClosed(t); err != nil {
				return err
			}
		}
		if action == "" {
			return nil
		}
		return tx.TellTask("hub", action, t)
	})
	return changed, err
}

// prepare fills the configured request in. words say why it cannot be sent.
func (r *runner) prepare(ctx context.Context, t model.Task) (call connectorCall, words string, err error) {
	facts := map[string]string{"userName": t.UserName}
	err = r.w.Store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.AccountsOf([]string{t.Identity, t.Successor})
		if err != nil {
			return err
		}
		for _, row := range rows {
			switch {
			case row.Target != r.target.Name:
			case row.Identity == t.Identity:
				facts["id"] = row.RemoteID
			case row.Identity == t.Successor && row.Applied != nil && row.Applied.Active:
				facts["successorId"], facts["successor"] = row.RemoteID, row.Applied.UserName
			}
		}
		if facts["successor"] == "" {
			people, err := tx.People([]string{t.Successor})
			if err != nil {
				return err
			}
			facts["successor"] = people[t.Successor].Name
		}
		return nil
	})
	if err != nil {
		return call, "", err
	}
	call, words = fillConnector(*r.target.Leaver.Connector, facts)
	return call, words, nil
}
