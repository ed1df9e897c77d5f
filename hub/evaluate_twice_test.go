package hub_test

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// TestTwoDecideAtOnce: a replica has read the facts of a person and stands still for
// longer than its claim lasts; another decides by newer ones meanwhile. What the first
// one stores when it goes on must not come over that.
func TestTwoDecideAtOnce(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		if !w.Store.Postgres() {
			return // one writer at a time
		}
		ada, bob := w.person("ada"), w.person("bob") // decided about in this order
		team := w.team("team")
		w.evaluate()
		w.patch(w.group, team.ID, `[{"op":"add","path":"members","value":[{"value":"`+ada.ID+`"}]}]`)
		w.patch(w.user, bob.ID, `[{"op":"replace","path":"title","value":"Engineer"}]`)
		locked, release := make(chan struct{}), make(chan struct{})
		holder := w.apart(func() error { // the first replica stands still at bob
			return w.Store.Update(ctxOf(w), func(tx *store.Tx) error {
				err := tx.HoldIdentities(w.identityOf(bob.ID))
				close(locked)
				<-release
				return err
			})
		})
		<-locked
		first := w.apart(w.batch)
		w.waiting(1, nil)
		w.patch(w.group, team.ID, `[{"op":"remove","path":"members[value eq \"`+ada.ID+`\"]"}]`)
		w.clock.Add(time.Minute)
		w.db.Exec(w.t, `UPDATE marks SET leased_until = ? WHERE identity_id = ?`, w.clock.Now().Add(time.Hour).UnixMicro(), w.identityOf(bob.ID))
		second := w.apart(w.batch)
		w.waiting(2, second)
		close(release)
		for _, end := range []chan error{holder, first, second} {
			if err := <-end; err != nil {
				w.t.Error(err)
			}
		}
		w.clock.Add(2 * time.Hour)
		w.evaluate()
		s := w.state(w.identityOf(ada.ID))
		if len(s.roles) != 1 || s.accounts["git"].Desired != nil {
			w.t.Errorf("not in the group any more, and has roles %v, account %+v", s.roles, s.accounts["git"].Desired)
		}
	})
}

func (w *world) batch() error { _, err := w.EvaluateBatch(ctxOf(w)); return err }

// apart runs something beside the test. The channel has its error, and is closed.
func (w *world) apart(do func() error) chan error {
	end := make(chan error, 1)
	go func() { end <- do(); close(end) }()
	return end
}

// waiting waits until so many transactions of this test wait for locks of others, or what
// is named has ended.
func (w *world) waiting(n int, ended chan error) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if w.db.Int(w.t, `SELECT count(DISTINCT w.pid) FROM pg_locks w JOIN pg_locks r ON r.pid = w.pid JOIN pg_class c ON c.oid = r.relation JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE NOT w.granted AND c.relname = 'identities' AND s.nspname = current_schema()`) >= n || len(ended) > 0 {
			return
		}
		<-tick.C
	}
	w.t.Fatalf("%d transactions do not wait for each other", n)
}
