package fanout

import (
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestAdvance(t *testing.T) {
	t.Parallel()
	p := advance(store.Progress{}, 0, 1000, noon)
	if ShowProgress(p, noon).ETA != nil {
		t.Error("an end is known before anything was done")
	}
	now := noon
	for waiting := 900; waiting >= 400; waiting -= 100 {
		now = now.Add(10 * time.Second)
		p = advance(p, 100, waiting, now)
	}
	v := ShowProgress(p, now)
	if v.Total != 1000 || v.Done != 600 || v.PerSecond != 10 || !v.Since.Equal(noon) || v.ETA.Sub(now) != 40*time.Second {
		t.Errorf("%+v, end %v", v, v.ETA)
	}
	p = advance(p, 100, 800, now.Add(10*time.Second)) // more came meanwhile
	if v := ShowProgress(p, now); v.Total != 1500 || v.Done != 700 {
		t.Errorf("%+v", v)
	}
	if ShowProgress(p, now.Add(time.Hour)) != nil {
		t.Error("shown long after it stood still")
	}
	if p = advance(p, 800, 0, now.Add(20*time.Second)); ShowProgress(p, now) != nil {
		t.Error("shown when it is over")
	}
	if p = advance(p, 5, 7, now.Add(30*time.Second)); p.Done != 0 || !p.Since.Equal(now.Add(30*time.Second)) {
		t.Errorf("the next backlog: %+v", p)
	}
}

func TestWorkerProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Rate = model.Rate{PerSecond: 100, Concurrency: 4} }, "")
	w.wantMany(150)
	w.start()
	w.until("progress", func(map[string]model.AccountRow) bool {
		p, err := w.store.Progress(t.Context(), "git")
		return err == nil && p.Waiting > 0 && p.Waiting <= 150
	})
}
