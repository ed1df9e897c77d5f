package hub_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestTimersFireOnce: three replicas look at the same moment, each hour of a month, for
// what time has brought. Each thing happens once.
func TestTimersFireOnce(t *testing.T) {
	t.Parallel()
	text := strings.Replace(reviewed, "hr: {dialect: rfc,", `hr: {silent: 10d, owner: hr@x.example, tokens: [{name: main, secret: "${env:PATH}", expires: 2027-03-20}], dialect: rfc,`, 1)
	text = strings.Replace(text, "reviews:\n", "reviews:\n  campaigns:\n  - {name: eng, scope: {role: engineer}, every: 60d, due: 10d, remind: 2d, undecided: keep}\n", 1)
	clock := storetest.NewClock(noon())
	db := storetest.Open(t, storetest.Postgres, store.Options{Now: clock.Now})
	w := &world{t: t, db: db, clock: clock}
	var hubs []*hub.Hub
	var keepers []*hub.Keeper
	for i := range 3 {
		s := db.Store
		if i > 0 {
			s = storetest.OpenURL(t, storetest.Postgres, db.URL, store.Options{Now: clock.Now}).Store
		}
		h := hub.New(s, slog.New(slog.DiscardHandler))
		snap, err := hub.Compile(1, "hub.yaml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Activate(snap)
		hubs, keepers = append(hubs, h), append(keepers, &hub.Keeper{Hub: h})
	}
	w.Hub = hubs[0]
	w.user, _ = scim.DefaultRegistry().Type("User")
	boss := w.person("boss", "title", "Boss")
	w.managed("ann", "Engineer", boss.ID)
	w.evaluate()
	err := w.Store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.AddTask(model.Task{ID: "t1", Kind: model.TaskManual, Target: "git", Digest: "d", What: "take the badge", Assignee: "role:security", Due: tx.Now.Add(24 * time.Hour)})
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		clock.Add(24 * time.Hour)
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i, h := range hubs {
			all.Go(func() {
				<-begin
				for range 6 {
					if _, err := h.ReviewStep(t.Context()); err != nil {
						t.Error(err)
					}
					if err := h.NoticeTime(t.Context()); err != nil {
						t.Error(err)
					}
					if err := h.FindSilence(t.Context()); err != nil {
						t.Error(err)
					}
					if err := h.LookAtLeavers(t.Context()); err != nil {
						t.Error(err)
					}
					keepers[i].Checkpoint(t.Context(), time.Hour)
					if _, err := h.EvaluateBatch(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		close(begin)
		all.Wait()
	}
	for kind, want := range map[string]int{"task.overdue": 1, "credential.expiring": 3, "review.started": 1, "review.reminder": 4, "review.closed": 1, "source.silent": 1} {
		if got := len(w.notices(kind)); got != want {
			t.Errorf("%s was told %d times, want %d", kind, got, want)
		}
	}
	if n := w.db.Int(t, `SELECT count(*) FROM events WHERE type = 'source.silent'`); n != 1 {
		t.Errorf("%d times the source fell silent", n)
	}
	if n := w.checkpoints(); n < 2 || n > 31 {
		t.Errorf("%d checkpoints in a month of one a day at most", n)
	}
	if _, faults, err := w.Store.VerifyAudit(t.Context()); len(faults) > 0 || err != nil {
		t.Errorf("%v %v", faults, err)
	}
}
