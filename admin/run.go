package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// How long a run of one person is waited for; beyond that it goes on by itself.
const (
	runWait   = time.Minute
	runAtOnce = 8 // targets
)

// RunWaitMost is the longest time for which a run is waited for: an answer has to be
// written within ten minutes.
const RunWaitMost = 9 * time.Minute

// Runner runs one person at one target.
type Runner func(context.Context, fanout.RunAsk) (fanout.RunTarget, error)

// RunRequest asks for a run of one person.
type RunRequest struct {
	Target string `json:"target,omitempty"`  // empty: all
	DryRun bool   `json:"dry_run,omitempty"` // nothing is written at targets nor in the hub
	Wait   string `json:"wait,omitempty"`    // how long to wait for the end, a duration; default 1m, at most 9m
}

// RunAnswer is what a run did, or a dry run would do, step by step.
type RunAnswer struct {
	Identity string             `json:"identity"`
	UserName string             `json:"userName"`
	Stage    model.Stage        `json:"stage"`
	DryRun   bool               `json:"dry_run"`
	Outcome  string             `json:"outcome"`           // of all targets: failed, held, waits, would_change, drifted, done, in_sync
	Decided  hub.Effect         `json:"decided"`           // what the evaluation changed, or would change
	Notes    []string           `json:"notes"`             // about the person
	Items    []fanout.RunTarget `json:"items"`             // by target
	At       time.Time          `json:"at"`                // when it was decided
	Version  int64              `json:"config_version"`    // that decided
	Elapsed  string             `json:"elapsed,omitempty"` // a duration
}

// runPerson works on one person now: POST /identities/{person}/run.
func (a *API) runPerson(r *http.Request, by Caller) (any, error) {
	var ask RunRequest
	if err := readJSON(r, &ask); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	snap := a.Hub.Snapshot()
	if snap == nil || a.Run == nil {
		return nil, model.Fail(model.Unavailable, "this process does not work on targets, or has no configuration yet", nil)
	}
	if _, ok := snap.Doc.Target(ask.Target); ask.Target != "" && !ok {
		return nil, model.Fail(model.NotFound, "there is no target "+strconv.Quote(ask.Target), nil)
	}
	patience, err := waitOf(ask.Wait)
	if err != nil {
		return nil, err
	}
	targets := []string{ask.Target}
	if ask.Target == "" {
		targets = nil
		for _, t := range snap.Doc.Targets {
			targets = append(targets, t.Name)
		}
		slices.Sort(targets)
	}
	began := a.now()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	planned, row, err := a.Hub.TryPerson(ctx, mux.Vars(r)["person"])
	if err != nil {
		return nil, err
	}
	var reserved *fanout.Reservation
	if !ask.DryRun && a.Reserve != nil {
		reserved = a.Reserve(row.ID, targets...)
		defer reserved.Release()
	}
	out := RunAnswer{Identity: row.ID, UserName: row.Name, Stage: planned.Stage, DryRun: ask.DryRun, Decided: planned.Effect,
		Notes: runNotes(planned, row), At: a.now(), Version: snap.Version}
	if !ask.DryRun {
		decided, err := a.Hub.DecidePerson(ctx, by.Name, row.ID)
		if err != nil {
			return nil, err
		}
		if !decided {
			out.Notes = append(out.Notes, "the evaluation has much to do: what follows rests on what was decided before; run it again later")
		}
	}
	out.Items, err = a.runTargets(ctx, planned, targets, fanout.RunAsk{Identity: row.ID, DryRun: ask.DryRun, Reserved: reserved})
	if err != nil {
		return nil, err
	}
	out.Outcome = worst(out.Items)
	out.Elapsed = a.now().Sub(began).Round(time.Millisecond).String()
	return out, nil
}

// waitOf reads how long to wait.
func waitOf(text string) (time.Duration, error) {
	if text == "" {
		return runWait, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > RunWaitMost {
		return 0, model.Fail(model.Invalid, "wait must be a duration up to "+RunWaitMost.String()+", such as 30s", err)
	}
	return d, nil
}

// runNotes are what is to be known about the person.
func runNotes(planned hub.Planned, row store.IdentityRow) []string {
	out := []string{}
	if row.OverGuard {
		out = append(out, "the guard of a source holds this leaver: release it with source release")
	}
	for _, d := range planned.Denied {
		out = append(out, "role "+d.Role+" is denied: "+deniedText(d))
	}
	for _, f := range planned.Findings {
		out = append(out, f.Message)
	}
	return out
}

// runTargets runs the person at every target, side by side.
func (a *API) runTargets(ctx context.Context, planned hub.Planned, targets []string, ask fanout.RunAsk) ([]fanout.RunTarget, error) {
	out := make([]fanout.RunTarget, len(targets))
	var pool errgroup.Group
	pool.SetLimit(runAtOnce)
	for i, name := range targets {
		pool.Go(func() error {
			scope, due, err := a.scopeOf(ctx, ask.Identity, planned, name, ask.DryRun)
			if err != nil {
				return err
			}
			ask := ask
			ask.Target = name
			if row, relevant := planned.Row(name); ask.DryRun && relevant {
				ask.Row = &row
			}
			got, err := a.Run(ctx, ask)
			if err != nil {
				got = fanout.RunTarget{Target: name, Outcome: fanout.RunFailed, Steps: []fanout.RunStep{{Step: fanout.StepOutcome, Text: err.Error()}}}
			}
			got.Steps = append(scope, got.Steps...)
			if got.Outcome == fanout.RunNothing && due {
				got.Outcome = fanout.RunWaits
			}
			out[i] = got
			return nil
		})
	}
	return out, pool.Wait()
}

// scopeOf says why the person is due at a target, or why not.
func (a *API) scopeOf(ctx context.Context, identity string, planned hub.Planned, target string, dry bool) (steps []fanout.RunStep, due bool, err error) {
	say := func(text string) { steps = append(steps, fanout.RunStep{Step: fanout.StepScope, Text: text}) }
	err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
		row, relevant := planned.Row(target)
		if !dry { // what was decided by now
			rows, err := tx.AccountsOf([]string{identity})
			if err != nil {
				return err
			}
			i := slices.IndexFunc(rows, func(a model.AccountRow) bool { return a.Target == target })
			if relevant = i >= 0; relevant {
				row = rows[i]
			}
		}
		if due = relevant && row.Desired != nil; due {
			what := "in scope"
			if !row.Desired.Active {
				what = "in scope, with an account that lets nobody in"
			}
			for _, group := range slices.Sorted(maps.Keys(row.Because)) {
				if group != "" {
					what = fmt.Sprintf("in group %q", group)
				}
				say(what + " because " + strings.Join(reasonTexts(row.Because[group]), "; and because "))
			}
			return nil
		}
		person, err := tx.Identity(identity)
		if err != nil {
			return err
		}
		m, err := presentOf(tx, person)
		if err != nil {
			return err
		}
		missing, err := a.whyNot(tx, m, target, "")
		if err != nil {
			return err
		}
		for _, x := range missing {
			say("not in scope: " + x.Message)
		}
		if len(missing) == 0 {
			say("not in scope")
		}
		return nil
	})
	return steps, due, err
}

func reasonTexts(list []model.Reason) []string {
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = policy.ReasonText(r)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// worst is the outcome of all targets together.
func worst(items []fanout.RunTarget) string {
	for _, outcome := range []string{fanout.RunFailed, fanout.RunHeld, fanout.RunPaused, fanout.RunWaits, fanout.RunDiffers, fanout.RunDrifted, fanout.RunDone, fanout.RunInSync} {
		if slices.ContainsFunc(items, func(t fanout.RunTarget) bool { return t.Outcome == outcome }) {
			return outcome
		}
	}
	return fanout.RunNothing
}
