package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// subject is a person of a history with faults.
type subject struct {
	id       string // of the resource; empty: deleted
	identity string
	facts    map[string]string // nil: deleted
	log      []string
}

// faulty is a history with faults.
type faulty struct {
	*world
	seed     uint64
	dice     *rand.Rand
	people   []*subject
	crew     string                     // the group
	held     map[string]map[string]bool // identity -> entitlements
	stages   map[string]model.Stage     // by identity
	replicas []*hub.Hub
	version  int // of failingVersions
	name     string
	seen     map[string]int // what was tried, and what came of it
}

// tell notes something that happened to everybody, or to one person.
func (f *faulty) tell(text string, people ...*subject) {
	if len(people) == 0 {
		people = f.people
	}
	for _, p := range people {
		p.log = append(p.log, text)
	}
}

func (f *faulty) fatal(p *subject, format string, args ...any) {
	f.t.Helper()
	f.t.Fatalf("SCIMHUB_SEED=%d: %s\n  %s", f.seed, fmt.Sprintf(format, args...), strings.Join(p.log, "\n  "))
}

// newFaulty opens a store of its own whose connections can be told from others'.
func newFaulty(t *testing.T, dialect string, seed uint64) *faulty {
	t.Helper()
	clock, name := storetest.NewClock(noon()), fmt.Sprintf("faults%x", seed)
	address := storetest.URL(t, dialect)
	if dialect == storetest.Postgres {
		address += "&application_name=" + name
	}
	db := storetest.OpenURL(t, dialect, address, store.Options{Now: clock.Now, MaxConns: faultyConns})
	w := &world{Hub: hub.New(db.Store, slog.New(slog.DiscardHandler)), t: t, db: db, clock: clock}
	w.user, _ = scim.DefaultRegistry().Type("User")
	w.group, _ = scim.DefaultRegistry().Type("Group")
	w.apply(failing)
	f := &faulty{world: w, seed: seed, dice: rand.New(rand.NewPCG(seed, 5)), held: map[string]map[string]bool{}, name: name, seen: map[string]int{}}
	f.replicas = []*hub.Hub{w.Hub, hub.New(db.Store, slog.New(slog.DiscardHandler))}
	f.replicas[1].Activate(w.Snapshot())
	f.crew = w.team("crew").ID
	db.SQL.SetMaxOpenConns(1) // for what is set on it to hold, and to be spared by kill
	return f
}

// faultyConns is how many connections there are to end.
const faultyConns = 4

// tables in which a write or a read may fail.
var writtenTables = []string{"resources", "identities", "marks", "grants", "accounts", "events", "audit", "audit_heads", "identity_history", "account_history", "findings", "sweeps"}
var readTables = []string{"resources", "group_members", "identities", "marks", "grants", "accounts", "requests", "exceptions", "cases", "config_versions", "sweeps", "findings"}

// refuseWrites lets every write to a table fail until the function returned is called.
func (f *faulty) refuseWrites(table string) (end func()) {
	if f.db.Dialect == storetest.Postgres {
		f.db.Exec(f.t, `CREATE OR REPLACE FUNCTION injected() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'injected'; END $$`)
		f.db.Exec(f.t, `CREATE TRIGGER injected BEFORE INSERT OR UPDATE OR DELETE ON `+table+` FOR EACH ROW EXECUTE FUNCTION injected()`)
		return func() { f.db.Exec(f.t, `DROP TRIGGER injected ON `+table) }
	}
	how := pick(f.dice, []string{"ABORT", "ROLLBACK", "FAIL"})
	for _, verb := range []string{"INSERT", "UPDATE", "DELETE"} {
		f.db.Exec(f.t, `CREATE TRIGGER injected_`+verb+` BEFORE `+verb+` ON `+table+` BEGIN SELECT RAISE(`+how+`, 'injected'); END`)
	}
	return func() {
		for _, verb := range []string{"INSERT", "UPDATE", "DELETE"} {
			f.db.Exec(f.t, `DROP TRIGGER injected_`+verb)
		}
	}
}

// hide takes a table away for a while.
func (f *faulty) hide(table string) (end func()) {
	if f.db.Dialect != storetest.Postgres { // references to it must not follow
		f.db.Exec(f.t, `PRAGMA legacy_alter_table = ON`)
		f.db.Exec(f.t, `PRAGMA foreign_keys = OFF`)
	}
	f.db.Exec(f.t, `ALTER TABLE `+table+` RENAME TO hidden`)
	return func() { f.db.Exec(f.t, `ALTER TABLE hidden RENAME TO `+table) }
}

// mark has everybody looked at.
func (f *faulty) mark() {
	f.db.Exec(f.t, `INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until) SELECT id, 1, FALSE, ?, 0 FROM identities WHERE erased_at IS NULL
ON CONFLICT (identity_id) DO UPDATE SET generation = marks.generation + 1`, f.clock.Now().UnixMicro())
}

// damage makes what is stored of some people unreadable for a while.
func (f *faulty) damage(p *subject) (end func()) {
	docs := f.db.Strings(f.t, `SELECT doc FROM resources WHERE id = ?`, p.id)
	f.db.Exec(f.t, `UPDATE resources SET doc = ? WHERE id = ?`, pick(f.dice, []string{"", "{", "[]", "null", "{}{"}), p.id)
	return func() {
		if len(docs) == 1 {
			f.db.Exec(f.t, `UPDATE resources SET doc = ? WHERE id = ?`, docs[0], p.id)
		}
	}
}

// kill ends the store's connections to PostgreSQL at some moment soon, whatever they do.
func (f *faulty) kill() (end func()) {
	if f.db.Dialect != storetest.Postgres {
		return func() {}
	}
	done, delay := make(chan struct{}), f.dice.Float64()*0.015
	go func() {
		defer close(done)
		_, _ = f.db.SQL.ExecContext(f.t.Context(), `SELECT pg_sleep($1)`, delay)
		_, _ = f.db.SQL.ExecContext(f.t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()`, f.name)
	}()
	return func() { <-done; f.reconnect(faultyConns) }
}

// reconnect uses so many connections at once, for dead ones to be noticed.
func (f *faulty) reconnect(n int) {
	for tries := 0; n > 0 && tries < 20; tries++ {
		err := f.Store.View(f.t.Context(), func(*store.Tx) error {
			f.reconnect(n - 1)
			return nil
		})
		if err == nil {
			return
		}
	}
}

// turn evaluates once on one of the replicas while something fails.
func (f *faulty) turn() {
	r := pick(f.dice, f.replicas)
	fault := pick(f.dice, []string{"none", "none", "write", "write", "read", "damage", "canceled", "panic", "kill"})
	ctx, end := f.t.Context(), func() {}
	switch fault {
	case "write":
		table := pick(f.dice, writtenTables)
		fault, end = "no write to "+table, f.refuseWrites(table)
	case "read":
		f.mark()
		table := pick(f.dice, readTables)
		fault, end = "no table "+table, f.hide(table)
	case "damage":
		f.mark()
		end = f.damage(pick(f.dice, f.people))
	case "canceled":
		short, cancel := context.WithTimeout(ctx, time.Duration(f.dice.IntN(4000))*time.Microsecond)
		ctx, end = short, cancel
	case "panic":
		f.mark()
		whole := r.Snapshot()
		broken := *whole
		broken.Policy = nil
		r.Activate(&broken)
		end = func() { r.Activate(whole) }
	case "kill":
		end = f.kill()
	}
	f.tell("evaluation: " + fault)
	f.clock.Add(20 * time.Second) // what was claimed before is free again
	_, err := r.EvaluateBatch(ctx)
	end()
	if f.seen["turns"]++; err != nil {
		f.seen["failed"]++
	}
	f.nothingLost()
}

// entitlements are what everybody should hold now by what is stored.
func (f *faulty) entitlements() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, row := range f.db.Strings(f.t, `SELECT identity_id || ' ' || target || ' ' || desired FROM accounts WHERE desired IS NOT NULL`) {
		parts := strings.SplitN(row, " ", 3)
		var a model.Account
		if err := json.Unmarshal([]byte(parts[2]), &a); err != nil {
			f.t.Fatal(err)
		}
		if out[parts[0]] == nil {
			out[parts[0]] = map[string]bool{}
		}
		if !a.Active {
			continue
		}
		out[parts[0]][parts[1]] = true
		for _, g := range a.Groups {
			out[parts[0]][parts[1]+"/"+g] = true
		}
	}
	return out
}

// nothingLost compares what everybody holds with what they held before: what is not
// there any more is what the facts certainly do not give; what is new they may give.
func (f *faulty) nothingLost() {
	f.t.Helper()
	now, stages := f.entitlements(), f.stagesOf()
	for _, p := range f.people {
		due := entitled(p.facts, failingVersions[f.version], f.clock.Now(), f.held[p.identity])
		for _, e := range slices.Sorted(maps.Keys(f.held[p.identity])) {
			switch {
			case now[p.identity][e]:
				if due[e] == undecided {
					f.seen["kept undecided"]++
				}
			case due[e] != certainlyNot:
				f.fatal(p, "%s was taken, by the facts it is due or nobody knows: %v", e, p.facts)
			default:
				f.seen["taken"]++
			}
		}
		due = entitled(p.facts, failingVersions[f.version], f.clock.Now(), now[p.identity])
		for _, e := range slices.Sorted(maps.Keys(now[p.identity])) {
			if f.held[p.identity][e] {
				continue
			}
			if f.seen["given"]++; due[e] == certainlyNot || waits(p.facts, f.stages[p.identity]) {
				f.fatal(p, "%s was given to a %q, by the facts nobody can say that it is due: %v", e, f.stages[p.identity], p.facts)
			}
		}
	}
	f.held, f.stages = now, stages
}

// stagesOf are the stages of everybody.
func (f *faulty) stagesOf() map[string]model.Stage {
	out := map[string]model.Stage{}
	for _, row := range f.db.Strings(f.t, `SELECT id || ' ' || stage FROM identities`) {
		id, stage, _ := strings.Cut(row, " ")
		out[id] = model.Stage(stage)
	}
	return out
}

// fact lets a source tell something new, at times while a write fails.
func (f *faulty) fact(n int) {
	p := f.people[n]
	end, fault := func() {}, ""
	if f.dice.IntN(5) == 0 {
		table := pick(f.dice, []string{"resources", "events", "audit", "marks", "group_members", "resource_values"})
		end, fault = f.refuseWrites(table), ", no write to "+table
	}
	before := maps.Clone(p.facts)
	err := f.said(n, p)
	end()
	if err != nil && fault == "" {
		f.fatal(p, "%v", err)
	}
	if err != nil { // and so nothing was acknowledged
		p.facts, fault = before, fault+": refused"
	}
	f.tell(fmt.Sprintf("%v%s", p.facts, fault), p)
}

func (f *faulty) said(n int, p *subject) error {
	ctx := f.t.Context()
	switch {
	case p.facts == nil:
		facts := randomFacts(f.dice)
		r, err := f.Create(ctx, by("hr"), f.user, failingDocument(n, facts))
		if err == nil {
			p.id, p.facts = r.ID, facts
			if identity := f.identityOf(r.ID); p.identity == "" {
				p.identity = identity
			} else if p.identity != identity {
				f.fatal(p, "who came back is somebody else")
			}
		}
		return err
	case f.dice.IntN(15) == 0:
		err := f.Delete(ctx, by("hr"), f.user, p.id, always)
		if err == nil {
			p.facts = nil
		}
		return err
	}
	next := maps.Clone(p.facts)
	fact := pick(f.dice, slices.Sorted(maps.Keys(failingValues)))
	next[fact] = pick(f.dice, failingValues[fact])
	if fact != "crew" {
		_, err := f.Modify(ctx, by("hr"), f.user, p.id, always, scim.Change{Replace: failingDocument(n, next)}, scim.Fields{})
		p.facts = next
		return err
	}
	operation := `[{"op":"add","path":"members","value":[{"value":"` + p.id + `"}]}]`
	if next["crew"] == "" {
		operation = `[{"op":"remove","path":"members[value eq \"` + p.id + `\"]"}]`
	}
	p.facts = next
	_, err := f.tryPatch(f.group, f.crew, operation)
	return err
}

// change makes another version active, of which one replica does not hear at once.
func (f *faulty) change() {
	f.version = f.dice.IntN(len(failingVersions))
	f.tell(fmt.Sprint("configuration: engineers are ", failingVersions[f.version].title, ", version ", f.version))
	hears := f.dice.IntN(2)
	w := *f.world
	w.Hub = f.replicas[hears]
	w.apply(failingVersions[f.version].text)
	if f.dice.IntN(2) == 0 {
		f.replicas[1-hears].Activate(w.Snapshot())
	}
}

// inTheEnd is when nothing fails any more: everybody holds what is due, and nothing
// else but what nobody can decide.
func (f *faulty) inTheEnd() {
	f.t.Helper()
	active := f.replicas[0].Snapshot()
	if other := f.replicas[1].Snapshot(); other.Version > active.Version {
		active = other
	}
	for range 3 {
		for _, r := range f.replicas {
			r.Activate(active)
			f.clock.Add(time.Minute)
			w := *f.world
			w.Hub = r
			w.evaluate()
			f.nothingLost()
		}
	}
	for _, p := range f.people {
		due := entitled(p.facts, failingVersions[f.version], f.clock.Now(), f.held[p.identity])
		for _, e := range slices.Sorted(maps.Keys(due)) {
			holds := f.held[p.identity][e]
			if due[e] == certainly && !holds || due[e] == certainlyNot && holds {
				f.fatal(p, "%s: held %v in the end, by the facts %d: %v", e, holds, due[e], p.facts)
			}
		}
	}
}

// TestRandomFaultsTakeNothing: whatever fails, and whatever cannot be decided, takes
// access from nobody; and when nothing fails any more it is as the facts say.
func TestRandomFaultsTakeNothing(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, dialect, historySeed(t))
			for range 25 {
				f.people = append(f.people, &subject{})
				f.fact(len(f.people) - 1)
			}
			rounds := 70
			if testing.Short() || storetest.UnderRace {
				rounds = 25
			}
			for round := range rounds {
				for range f.dice.IntN(12) {
					f.fact(f.dice.IntN(len(f.people)))
				}
				if f.dice.IntN(12) == 0 {
					f.change()
				}
				for range 1 + f.dice.IntN(3) {
					f.turn()
				}
				f.clock.Add(time.Duration(f.dice.IntN(60)) * time.Minute)
				f.tell("at " + f.clock.Now().Format(time.DateTime))
				if round%25 == 24 {
					f.inTheEnd()
				}
			}
			f.inTheEnd()
			for _, what := range []string{"turns", "failed", "kept undecided", "taken", "given"} {
				if f.seen[what] == 0 {
					t.Errorf("the test tries nothing: %v", f.seen)
				}
			}
		})
	}
}
