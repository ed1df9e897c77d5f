package hub_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// pair is a hub with a history and one that only hears how it ends.
type pair struct {
	t        *testing.T
	hub      *world
	oracle   *world
	settling time.Duration // how long what is kept for a while lasts
	n        int
}

func (p *pair) prefix() string { p.n++; return fmt.Sprintf("zq%05dqz", p.n) }

func newPair(w *world, configuration string, settling time.Duration) *pair {
	w.t.Helper()
	db := storetest.Open(w.t, storetest.SQLite, store.Options{Now: w.clock.Now})
	o := *w
	o.db, o.Hub = db, hub.New(db.Store, slog.New(slog.DiscardHandler))
	snap, err := hub.Compile(1, "hub.yaml", []byte(configuration), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	o.Activate(snap)
	return &pair{t: w.t, hub: w, oracle: &o, settling: settling}
}

// settle works on all there is, until nothing is kept for a while any more.
func (p *pair) settle() {
	p.hub.evaluate()
	for range 2 {
		if p.settling > 0 {
			p.hub.clock.Add(p.settling + time.Hour)
			p.hub.evaluate()
		}
	}
}

// check compares histories with the facts alone, then and when much time has passed.
func (p *pair) check(list ...*historian) (failed *historian, diff string) {
	oracles := make([]*historian, len(list))
	p.settle()
	for i, h := range list {
		var err error
		if oracles[i], err = h.push(p.oracle, p.prefix()); err != nil {
			return h, "the facts alone: " + err.Error()
		}
	}
	for _, later := range []time.Duration{0, 31 * time.Hour, 200 * time.Hour} {
		p.hub.clock.Add(later)
		p.settle()
		p.oracle.evaluate()
		for i, h := range list {
			if diff := h.againstFacts(oracles[i]); diff != "" {
				return h, fmt.Sprintf("%s later: %s", later, diff)
			}
		}
		if someone := p.hub.noAccessOfNobody(); len(someone) > 0 {
			return list[0], fmt.Sprintf("accounts of nobody: %v", someone)
		}
	}
	return nil, ""
}

// replay lets a history happen again, to other people, and checks it.
func (p *pair) replay(events []happening) (diff string) {
	h := p.hub.historian(p.prefix())
	for _, e := range events {
		if err := h.do(e); err != nil {
			return fmt.Sprintf("%s: %v", e, err)
		}
	}
	_, diff = p.check(h)
	return diff
}

// fail tells of a history, without what does not matter.
func (p *pair) fail(seed uint64, h *historian, diff string) {
	p.t.Helper()
	events := slices.Clone(h.log)
	for size := max(1, len(events)/2); size > 0; size /= 2 {
		for i := 0; i < len(events); {
			without := slices.Delete(slices.Clone(events), i, min(i+size, len(events)))
			if d := p.replay(without); d != "" {
				events, diff = without, d
				continue
			}
			i += size
		}
	}
	lines := make([]string, len(events))
	for i, e := range events {
		lines[i] = e.String()
	}
	p.t.Fatalf("SCIMHUB_SEED=%d: access is not that of the facts alone (-facts +history) after\n  %s\n%s", seed, strings.Join(lines, "\n  "), diff)
}

// wave lets many histories happen side by side, with evaluation now and then.
func (p *pair) wave(seed uint64, dice *rand.Rand, histories, rounds int) {
	p.t.Helper()
	list := make([]*historian, histories)
	for i := range list {
		list[i] = p.hub.historian(p.prefix())
		for _, e := range beginning(dice) {
			if err := list[i].do(e); err != nil {
				p.fail(seed, list[i], e.String()+": "+err.Error())
			}
		}
	}
	for range rounds {
		for _, h := range list {
			for range pick(dice, []int{0, 1, 1, 2, 2, 6}) {
				e := anything(dice)
				for range 1 + dice.IntN(6)/5 { // now and then twice
					if err := h.do(e); err != nil {
						p.fail(seed, h, e.String()+": "+err.Error())
					}
				}
			}
		}
		var now []happening // for all
		if how := pick(dice, []string{"", "evaluate", "batch", "other", "both"}); how != "" {
			now = append(now, happening{what: how})
		}
		if hours := pick(dice, []int{0, 0, 1, 7, 16}); hours > 0 {
			now = append(now, happening{what: "tick", hours: hours})
		}
		for _, e := range now {
			if err := list[0].do(e); err != nil {
				p.fail(seed, list[0], e.String()+": "+err.Error())
			}
			for _, h := range list[1:] {
				h.log = append(h.log, e)
			}
		}
	}
	if h, diff := p.check(list...); h != nil {
		p.fail(seed, h, diff)
	}
}
