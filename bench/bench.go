// Package bench measures a hub beside its floor, in one run on the same machine: what a
// canned HTTP answer and the bare statements through a raw driver leave, or a plain
// client that does no more than it must. It gives ratios, since seconds say more about
// the machine than about the hub. It refuses to know how a hub is made: it is handed one.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Options of a run.
type Options struct {
	Databases []string      // URLs: sqlite: (a new file) or postgres://… (a new schema, dropped at the end)
	People    int           // how many there are before anything is measured; at least 100
	Targets   int           // applications of the pipeline; at least 1
	Each      time.Duration // how long one thing is measured in one round
	Rounds    int           // in which hub and floor take turns, so that what else the machine does hits both
	Only      []string      // parts to measure (see Parts); none: all
	Program   string        // the program whose start is measured; empty: it is not
	Folder    string        // for what is temporary

	Start func(ctx context.Context, database string, targets []Target) (*Hub, error)
	Now   func() time.Time
	Say   func(text string) // tells how far it is
}

// Target is an application of the pipeline.
type Target struct{ Name, URL, Token string }

// Hub is a hub that is being measured. It serves, and evaluates and writes to targets
// only when it is told to, so that each is measured by itself.
type Hub struct {
	URL, Token string // of the service provider

	Evaluate  func(ctx context.Context) error                             // until nobody waits
	Provision func(ctx context.Context) error                             // until every account is in sync
	Sweep     func(ctx context.Context, target string) (n int, err error) // a full reading of a target
	Stop      func() error
}

// Row is one measurement. The ratio is 1 where the hub costs nothing beyond its floor:
// of rates it is hub/floor, of times and sizes floor/hub.
type Row struct {
	Database string  `json:"database"`
	Part     string  `json:"part"`
	What     string  `json:"what"`
	Unit     string  `json:"unit"` // /s, ms or MiB
	Hub      float64 `json:"hub"`
	Floor    float64 `json:"floor"`
	Ratio    float64 `json:"ratio"`
	Beside   string  `json:"beside"` // what the floor is
}

// Parts are what can be measured, in order.
func Parts() []string { return []string{"inbound", "groups", "pipeline", "start"} }

// run is one run.
type run struct {
	Options
	serial atomic.Int64 // numbers every call, so that creates never collide
	rows   []Row
}

// Run measures everything that was asked for and gives it in order.
func Run(ctx context.Context, o Options) ([]Row, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &run{Options: o}
	for _, url := range o.Databases {
		for _, part := range Parts() {
			if len(o.Only) > 0 && !slices.Contains(o.Only, part) {
				continue
			}
			if err := r.part(ctx, part, url); err != nil {
				return r.rows, fmt.Errorf("%s: %w", part, err)
			}
		}
	}
	return r.rows, nil
}

func (o Options) check() error {
	switch {
	case o.People < 100:
		return model.Fail(model.Invalid, "people: at least 100 are needed, or nothing but noise is measured", nil)
	case o.Targets < 1 || o.Targets > 50:
		return model.Fail(model.Invalid, "targets: 1 to 50", nil)
	case o.Each <= 0 || o.Rounds < 1:
		return model.Fail(model.Invalid, "for and rounds must be more than 0", nil)
	}
	for _, part := range o.Only {
		if !slices.Contains(Parts(), part) {
			return model.Fail(model.Invalid, fmt.Sprintf("only: there is no part %q; there are %s", part, strings.Join(Parts(), ", ")), nil)
		}
	}
	return nil
}

// part measures one part on a database of its own.
func (r *run) part(ctx context.Context, part, url string) (err error) {
	db, err := r.newDatabase(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.drop()) }()
	switch part {
	case "inbound":
		return r.inbound(ctx, db)
	case "groups":
		return r.groups(ctx, db)
	case "pipeline":
		return r.pipeline(ctx, db)
	}
	return r.start(ctx, db)
}

// subject is a hub with its client, and the raw tables beside it.
type subject struct {
	hub    *Hub
	client *client
	floor  *raw
}

// open starts a hub on a database and makes its floor.
func (r *run) open(ctx context.Context, db *database, targets []Target) (*subject, error) {
	hub, err := r.Start(ctx, db.url, targets)
	if err != nil {
		return nil, err
	}
	floor, err := r.newRaw(ctx, db)
	if err != nil {
		return nil, errors.Join(err, hub.Stop())
	}
	return &subject{hub, newClient(hub.URL, hub.Token), floor}, nil
}

func (s *subject) close() error { return errors.Join(s.floor.db.Close(), s.hub.Stop()) }

// add notes a rate beside its floor.
func (r *run) add(db *database, part, what string, hub, floor float64, beside string) {
	r.note(Row{Database: db.kind, Part: part, What: what, Unit: "/s", Hub: hub, Floor: floor, Ratio: hub / floor, Beside: beside})
}

// size notes a time or a size, of which less is better.
func (r *run) size(db *database, part, what, unit string, hub, floor float64, beside string) {
	r.note(Row{Database: db.kind, Part: part, What: what, Unit: unit, Hub: hub, Floor: floor, Ratio: floor / hub, Beside: beside})
}

func (r *run) note(row Row) {
	r.rows = append(r.rows, row)
	r.Say(fmt.Sprintf("%-8s %-40s %10.4g%s  %.2f of %s", row.Database, row.What, row.Hub, row.Unit, row.Ratio, row.Beside))
}
