package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// gauge describes a metric that is read from the database.
func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("scimhub_"+name, help, labels, nil)
}

// hubParts are all figures that are read from the database, those that take about as
// long together.
func hubParts(s *store.Store, holder func() string, known func() *hub.Snapshot) []*part {
	return []*part{statePart(s, holder, known), marksPart(s), accountsPart(s, known), peoplePart(s, known), findingsPart(s, known), sizePart(s)}
}

// named says which names are those of the configuration in force: what it no longer
// knows has no series any more. Where none is in force yet all count.
func named(snap *hub.Snapshot) (target, source func(string) bool) {
	if snap == nil {
		all := func(string) bool { return true }
		return all, all
	}
	targets, sources := map[string]bool{}, map[string]bool{"": true}
	for _, t := range snap.Doc.Targets {
		targets[t.Name] = true
	}
	for _, s := range snap.Doc.Sources {
		sources[s.Name] = true
	}
	return func(n string) bool { return targets[n] }, func(n string) bool { return sources[n] }
}

// statePart tells of targets, sources, and what waits for people: short queries, all in
// one state of the database.
func statePart(s *store.Store, holder func() string, known func() *hub.Snapshot) *part {
	p := &part{name: "state"}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		d := gauge(name, help, labels...)
		p.descs = append(p.descs, d)
		return d
	}
	tellers := []func(store.Figures, *hub.Snapshot, show){
		targetGauges(desc, holder), driftGauges(desc), sourceGauges(desc), leaverGauges(desc), waitingGauges(desc), auditGauges(desc),
	}
	p.read = func(ctx context.Context, show show) error {
		f, err := s.Figures(ctx)
		if err != nil {
			return err
		}
		snap := known()
		target, _ := named(snap)
		f.Targets = slices.DeleteFunc(f.Targets, func(t store.TargetFigures) bool { return !target(t.Name) })
		for _, by := range []map[string]int{f.LeaversOpen, f.TasksOpen, f.TasksOverdue} {
			maps.DeleteFunc(by, func(name string, _ int) bool { return !target(name) })
		}
		for _, tell := range tellers {
			tell(f, snap, show)
		}
		return nil
	}
	return p
}

type describe func(name, help string, labels ...string) *prometheus.Desc

func targetGauges(desc describe, holder func() string) func(store.Figures, *hub.Snapshot, show) {
	quarantined := desc("target_quarantined", "1 while the target fails for so long that only leavers are tried there, else 0.", "target")
	paused := desc("target_paused", "1 while somebody has paused the target, else 0.", "target")
	failures := desc("target_failures", "Failures in a row that are about the target as a whole, since it last answered well.", "target")
	attempt := desc("target_last_attempt_timestamp_seconds", "Unix time when the target was last asked to do something.", "target")
	success := desc("target_last_success_timestamp_seconds", "Unix time when the target last did what it was asked to.", "target")
	leased := desc("target_leased", "1 at the replica that works on the target at the moment, else 0.", "target")
	oldest := desc("oldest_change_seconds", "Seconds since the change that waits longest at the target could have been made; 0 if none waits. Changes that are held, or were tried and wait for their next attempt, do not count.", "target")
	return func(f store.Figures, _ *hub.Snapshot, show show) {
		for _, t := range f.Targets {
			show(quarantined, oneIf(t.State.QuarantinedAt != nil), t.Name)
			show(paused, oneIf(t.State.Paused), t.Name)
			show(failures, float64(t.State.Failures), t.Name)
			stamp(show, attempt, t.State.LastAttempt, t.Name)
			stamp(show, success, t.State.LastSuccess, t.Name)
			show(leased, oneIf(t.Holder != "" && t.Holder == holder()), t.Name)
			show(oldest, age(t.Oldest, f.At), t.Name)
		}
	}
}

func driftGauges(desc describe) func(store.Figures, *hub.Snapshot, show) {
	drift := desc("drift", "Differences that the last sweep of the target found and nobody told the hub about, by kind.", "target", "kind")
	swept := desc("drift_sweep_timestamp_seconds", "Unix time when the last drift sweep of the target ended, whatever it found.", "target")
	refused := desc("drift_sweep_refused", "1 where nothing was concluded from the last drift sweep of the target, for what it showed is not to be believed, else 0.", "target")
	return func(f store.Figures, _ *hub.Snapshot, show show) {
		for _, t := range f.Targets {
			if t.Sweep == nil {
				continue
			}
			stamp(show, swept, &t.Sweep.Ended, t.Name)
			show(refused, oneIf(t.Sweep.Refused != ""), t.Name)
			for _, kind := range fanout.DriftKinds() { // one that is no more shows as 0
				show(drift, float64(t.Sweep.Kinds[kind]), t.Name, kind)
			}
		}
	}
}

func sourceGauges(desc describe) func(store.Figures, *hub.Snapshot, show) {
	seen := desc("source_last_seen_timestamp_seconds", "Unix time when a source was last heard of, to the minute.", "source")
	silent := desc("source_silent", "1 for a source that has sent nothing for longer than its configuration lets it be silent, else 0.", "source")
	limit := desc("source_silence_limit_seconds", "Seconds that a source may be silent, as silent in its configuration says; without that there is no series.", "source")
	resources := desc("resources", "Resources that a source has written and not deleted, by type.", "source", "resource")
	return func(f store.Figures, snap *hub.Snapshot, show show) {
		_, known := named(snap)
		for _, name := range slices.Sorted(maps.Keys(f.Sources)) {
			if !known(name) {
				continue
			}
			stamp(show, seen, f.Sources[name].LastSeen, name)
			show(silent, oneIf(f.Sources[name].SilentSince != nil), name)
		}
		for _, r := range f.Resources {
			if known(r.Source) {
				show(resources, float64(r.N), r.Source, r.Kind)
			}
		}
		if snap == nil {
			return
		}
		for _, s := range snap.Doc.Sources {
			if s.Silent > 0 {
				show(limit, s.Silent.Seconds(), s.Name)
			}
		}
	}
}

func leaverGauges(desc describe) func(store.Figures, *hub.Snapshot, show) {
	open := desc("leavers_open", "People who left and whose access at the target is not verified gone yet.", "target")
	atRisk := desc("leavers_at_risk", "People who left and of whom the goal of a target is at risk or missed, while access is not verified gone.")
	late := desc("leavers_late", "People who left and of whom the goal of a target is missed, while access is not verified gone.")
	return func(f store.Figures, _ *hub.Snapshot, show show) {
		for _, name := range slices.Sorted(maps.Keys(f.LeaversOpen)) {
			show(open, float64(f.LeaversOpen[name]), name)
		}
		show(atRisk, float64(f.LeaversAtRisk))
		show(late, float64(f.LeaversLate))
	}
}

func waitingGauges(desc describe) func(store.Figures, *hub.Snapshot, show) {
	approvals := desc("approvals_pending", "Requests for roles that wait for somebody's answer, reviews after the fact included.")
	oldest := desc("oldest_approval_seconds", "Seconds since the request that waits longest for an answer was made; 0 if none waits.")
	tasks := desc("tasks_open", "Tasks that wait for a person, by target.", "target")
	overdue := desc("tasks_overdue", "Open tasks that should have been done by now, by target.", "target")
	items := desc("review_items", "Items of access reviews that wait for a decision, or for a revocation to be carried out, by state.", "state")
	cases := desc("identity_cases", "Resources that could belong to several people, of which a person has to say whose they are.")
	pending := desc("notifications_pending", "Messages on their way, or waiting to be tried again.")
	oldestMessage := desc("oldest_notification_seconds", "Seconds since the message that is on its way longest was written; 0 if none is.")
	sessions := desc("sessions", "Sessions at the console that are still good.")
	return func(f store.Figures, _ *hub.Snapshot, show show) {
		show(approvals, float64(f.Approvals))
		show(oldest, age(f.OldestApproval, f.At))
		for _, name := range slices.Sorted(maps.Keys(f.TasksOpen)) {
			show(tasks, float64(f.TasksOpen[name]), name)
			show(overdue, float64(f.TasksOverdue[name]), name)
		}
		for _, state := range []model.ItemState{model.ItemPending, model.ItemRevoking, model.ItemEvaluated} {
			show(items, float64(f.ReviewItems[string(state)]), string(state))
		}
		show(cases, float64(f.Cases))
		n := 0
		for _, one := range f.Deliveries {
			n += one
		}
		show(pending, float64(n))
		show(oldestMessage, age(f.OldestDelivery, f.At))
		show(sessions, float64(f.Sessions))
	}
}

func auditGauges(desc describe) func(store.Figures, *hub.Snapshot, show) {
	broken := desc("audit_chain_broken", "1 where the verification of the audit trail in the background has found that it was changed, else 0.")
	verified := desc("audit_verified_timestamp_seconds", "Unix time when the audit trail was last verified from its beginning to its end; before the first time there is no series.")
	entries := desc("audit_verified_entries", "Entries of the audit trail that the last whole verification read.")
	return func(f store.Figures, _ *hub.Snapshot, show show) {
		n, _ := f.Audit.Faulty()
		show(broken, oneIf(n > 0))
		stamp(show, verified, f.Audit.VerifiedAt)
		if f.Audit.VerifiedAt != nil {
			show(entries, float64(f.Audit.Verified))
		}
	}
}

func marksPart(s *store.Store) *part {
	pending := gauge("pending_marks", "People who may differ from what was decided of them and are to be evaluated.")
	oldest := gauge("oldest_mark_seconds", "Seconds since the oldest mark was set, that is since somebody waits to be evaluated; 0 if nobody does.")
	return &part{name: "marks", descs: []*prometheus.Desc{pending, oldest}, read: func(ctx context.Context, show show) error {
		n, at, err := s.Marks(ctx)
		if err != nil {
			return err
		}
		show(pending, float64(n))
		show(oldest, age(at, s.Now()))
		return nil
	}}
}

func accountsPart(s *store.Store, known func() *hub.Snapshot) *part {
	accounts := gauge("accounts", "Accounts at a target by sync state.", "target", "state")
	held := gauge("held_changes", "Accounts at a target with changes that wait until a person releases them.", "target")
	return &part{name: "accounts", descs: []*prometheus.Desc{accounts, held}, read: func(ctx context.Context, show show) error {
		counts, err := s.StateCounts(ctx)
		if err != nil {
			return err
		}
		target, _ := named(known())
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			if !target(name) {
				continue
			}
			for _, state := range slices.Sorted(maps.Keys(counts[name])) {
				show(accounts, float64(counts[name][state]), name, string(state))
			}
			show(held, float64(counts[name][model.StateHeld]), name)
		}
		return nil
	}}
}

func peoplePart(s *store.Store, known func() *hub.Snapshot) *part {
	people := gauge("identities", "People the hub knows by stage of their life: prehire, active, leave, leaver.", "stage")
	held := gauge("held_leavers", "People who left at a source beyond its guard and keep their access until somebody decides.", "source")
	return &part{name: "people", descs: []*prometheus.Desc{people, held}, read: func(ctx context.Context, show show) error {
		stages, err := s.StageCounts(ctx)
		if err != nil {
			return err
		}
		for _, stage := range slices.Sorted(maps.Keys(stages)) {
			show(people, float64(stages[stage]), string(stage))
		}
		sources, err := s.HeldLeaversBySource(ctx)
		_, configured := named(known())
		for _, name := range slices.Sorted(maps.Keys(sources)) {
			if configured(name) {
				show(held, float64(sources[name]), name)
			}
		}
		return err
	}}
}

func findingsPart(s *store.Store, known func() *hub.Snapshot) *part {
	findings := gauge("findings", "Facts that are missing, impossible or contradictory, by the source that can put them right and kind.", "source", "kind")
	return &part{name: "findings", descs: []*prometheus.Desc{findings}, read: func(ctx context.Context, show show) error {
		counts, err := s.CountFindings(ctx)
		_, source := named(known())
		for _, n := range counts {
			if source(n.Source) {
				show(findings, float64(n.Count), n.Source, n.Kind)
			}
		}
		return err
	}}
}

func sizePart(s *store.Store) *part {
	size := gauge("database_size_bytes", "Bytes that the database takes on disk, indexes included.")
	return &part{name: "size", descs: []*prometheus.Desc{size}, read: func(ctx context.Context, show show) error {
		n, err := s.Size(ctx)
		if err != nil {
			return err
		}
		show(size, float64(n))
		return nil
	}}
}

// oneIf is 1 for true and 0 for false.
func oneIf(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// stamp shows when something happened, if it did.
func stamp(show show, d *prometheus.Desc, at *time.Time, labels ...string) {
	if at != nil {
		show(d, float64(at.UnixMilli())/1000, labels...)
	}
}

// age is how many seconds ago something was; 0 if it was not.
func age(at *time.Time, now time.Time) float64 {
	if at == nil {
		return 0
	}
	return max(now.Sub(*at).Seconds(), 0)
}
