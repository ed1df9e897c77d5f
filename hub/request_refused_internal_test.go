package hub

import (
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

// TestAskRefused: each with its message.
func TestAskRefused(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *time.Time { t := start().Add(d); return &t }
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		role, by string
		in       Ask
		change   func(*bench)
		code     model.Code
		message  string
	}{
		"a leaver":          {"free", "alice", Ask{}, func(b *bench) { b.env.stage = model.Leaver }, model.Invalid, "alice has left"},
		"blocked":           {"free", "alice", Ask{}, func(b *bench) { b.env.known.Case = &model.Case{ID: "c1", Blocks: true} }, model.Conflict, "case c1"},
		"self alone":        {"free", "bob", Ask{}, nil, model.Forbidden, "alice has to ask"},
		"not a report":      {"admin", "sam", Ask{}, nil, model.Forbidden, "alice is not your report"},
		"past":              {"admin", "alice", Ask{Until: at(-day)}, nil, model.Invalid, "until 2027-02-28T12:00:00Z is in the past"},
		"long past from":    {"admin", "alice", Ask{From: at(-2 * day)}, nil, model.Invalid, "from 2027-02-27T12:00:00Z is in the past"},
		"end before start":  {"admin", "alice", Ask{From: at(3 * day), Until: at(2 * day)}, nil, model.Invalid, "is not after from"},
		"too long":          {"admin", "alice", Ask{Until: at(31 * day)}, nil, model.Invalid, "(30 days): until 2027-03-31T12:00:00Z at the latest"},
		"too long, later":   {"admin", "alice", Ask{From: at(day), Until: at(32 * day)}, nil, model.Invalid, "until 2027-04-01T12:00:00Z at the latest"},
		"emergency later":   {"admin", "alice", Ask{From: at(day), Emergency: true}, nil, model.Invalid, "an emergency is now"},
		"emergency forever": {"admin", "alice", Ask{Until: at(day), Emergency: true}, nil, model.Invalid, "(4h0m0s)"},
		"by a rule already": {"free", "alice", Ask{}, func(b *bench) {
			b.env.known.Held = []model.Grant{{Role: "free", Because: []model.Reason{{Role: "boss", Rule: "user.active"}}}}
		}, model.Conflict, "alice holds free already, by the rule of boss: user.active"},
		"asked already": {"admin", "alice", Ask{}, func(b *bench) {
			b.env.known.Requests = []model.Request{{ID: "r7", Role: "admin", State: model.RequestPending}}
		}, model.Conflict, "request r7 waits"},
		"approved already": {"admin", "alice", Ask{From: at(day)}, func(b *bench) {
			b.env.known.Requests = []model.Request{{ID: "r7", Role: "admin", State: model.RequestApproved, Until: at(9 * day)}}
		}, model.Conflict, "ask with from 2027-03-10T12:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if tt.change != nil {
				tt.change(b)
			}
			if _, err := b.ask(tt.role, tt.by, tt.in); model.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("%v", err)
			}
		})
	}
	b := newBench(t)
	b.env.known.Requests = []model.Request{{ID: "r7", Role: "admin", State: model.RequestApproved, Until: at(9 * day)}}
	if _, err := b.ask("admin", "alice", Ask{From: at(9 * day), Until: at(20 * day)}); err != nil {
		t.Errorf("to go on after it: %v", err)
	}
	b.env.known.Requests = []model.Request{{ID: "r7", Role: "admin", State: model.RequestPending}}
	if _, err := b.ask("admin", "alice", Ask{Emergency: true}); err != nil {
		t.Errorf("an emergency while it is asked for: %v", err)
	}
}
