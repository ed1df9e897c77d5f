package hub_test

import (
	"bytes"
	"crypto/ed25519"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

const auditSeed = "0202020202020202020202020202020202020202020202020202020202020202"

func withAudit(text string) string {
	return strings.Replace(oneSource, "sources:", text+"\nsources:", 1)
}

func (w *world) checkpoints() int {
	return w.db.Int(w.t, `SELECT count(*) FROM audit_checkpoints`)
}

// TestKeeper: a checkpoint at the start, one an hour while something changes, one at the
// stop; by one of two replicas.
func TestKeeper(t *testing.T) {
	t.Parallel()
	each(t, withAudit("audit: {retain: 30d, checkpoint: 1h}"), func(w *world) {
		ctx := w.t.Context()
		var log bytes.Buffer
		w.Log = slog.New(slog.NewTextHandler(&log, nil))
		one, two := &hub.Keeper{Hub: w.Hub}, &hub.Keeper{Hub: w.Hub}
		w.person("ada")
		for _, step := range []struct {
			name string
			do   func()
			want int
		}{
			{"start", func() { one.Checkpoint(ctx, 0); two.Checkpoint(ctx, 0) }, 1},
			{"nothing new", func() { w.clock.Add(2 * time.Hour); one.Tick(ctx); two.Tick(ctx) }, 1},
			{"news", func() { w.person("bob"); one.Tick(ctx); two.Tick(ctx) }, 2},
			{"too early", func() { w.person("eve"); w.clock.Add(time.Minute); one.Tick(ctx); two.Tick(ctx) }, 2},
			{"stop", func() { one.Stop(ctx); two.Stop(ctx) }, 3},
		} {
			if step.do(); w.checkpoints() != step.want {
				t.Errorf("%s: %d checkpoints, want %d", step.name, w.checkpoints(), step.want)
			}
		}
		w.clock.Add(31 * 24 * time.Hour)
		if err := hub.NewRetention(w.Hub, "r1", nil).Pass(ctx); err != nil {
			t.Fatal(err)
		}
		if n := w.db.Int(t, `SELECT count(*) FROM audit WHERE action NOT IN ('audit.prune', 'retention.prune')`); n > 0 {
			t.Errorf("%d entries are older than they are kept", n)
		}
		if _, faults, err := w.Store.VerifyAudit(ctx); len(faults) > 0 || err != nil {
			t.Errorf("%v %v", faults, err)
		}
		if log.Len() == 0 || strings.Contains(log.String(), "not what this process signed") {
			t.Errorf("log: %s", log.String())
		}
		w.person("zoe")
		one.Checkpoint(ctx, 0)
		w.db.Exec(t, `DELETE FROM audit`)
		one.Checkpoint(ctx, 0)
		if !strings.Contains(log.String(), "not what this process signed") {
			t.Errorf("nobody noticed that the trail is gone: %s", log.String())
		}
	})
}

// TestAuditKeys: the configured key signs; what the hub's own signed before still counts,
// and a trail whose newest checkpoint the configured key has not signed is a fault.
func TestAuditKeys(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		ctx := w.t.Context()
		keeper := &hub.Keeper{Hub: w.Hub}
		w.person("ada")
		keeper.Checkpoint(ctx, 0)
		verify := func(more ...ed25519.PublicKey) int {
			t.Helper()
			keys, err := w.AuditKeys(ctx, more...)
			if err != nil {
				t.Fatal(err)
			}
			_, faults, err := w.Store.VerifyCheckpoints(ctx, keys, nil)
			if err != nil {
				t.Fatal(err)
			}
			return len(faults)
		}
		if n := verify(); n != 0 {
			t.Errorf("own key: %d faults", n)
		}
		snap, err := hub.Compile(2, "hub.yaml", []byte(withAudit(`audit: {key: "`+auditSeed+`"}`)), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Activate(snap)
		if n := verify(); n != 1 {
			t.Errorf("before the configured key signed anything: %d faults, want 1", n)
		}
		keeper.Checkpoint(ctx, 0)
		if n := verify(); n != 0 || w.checkpoints() != 2 {
			t.Errorf("configured key: %d faults, %d checkpoints", n, w.checkpoints())
		}
		bad, err := hub.Compile(3, "hub.yaml", []byte(withAudit(`audit: {key: "xyz"}`)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hub.ConfiguredAuditKey(bad.Doc); model.CodeOf(err) != model.Invalid || strings.Contains(err.Error(), "xyz") {
			t.Errorf("a key that is none: %v", err)
		}
	})
}
