package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// replayDifferences is how many differences an answer lists unless asked for another number.
const (
	replayDifferences = 1000
	replayMost        = 100_000
)

// ReplayRequest asks what a configuration would have decided in the past.
type ReplayRequest struct {
	Config string    `json:"config"`
	Name   string    `json:"name,omitempty"`  // what its faults call it
	Since  time.Time `json:"since"`           // RFC 3339
	Limit  int       `json:"limit,omitempty"` // differences listed; default 1000
}

// ReplayAnswer is how a configuration would have decided otherwise than was decided.
type ReplayAnswer struct {
	Since       time.Time          `json:"since"`
	Until       time.Time          `json:"until"`
	Moments     int                `json:"moments"` // versions of people's facts looked at
	People      int                `json:"people"`  // of whom there are any
	Affected    int                `json:"affected"`
	Roles       []ReplayCount      `json:"roles"`       // by name
	Access      []ReplayCount      `json:"access"`      // by target and group
	Differences []ReplayDifference `json:"differences"` // by time
	More        int                `json:"more,omitempty"`
	Warnings    []string           `json:"warnings,omitempty"`
}

// ReplayCount is how many people would have had something that they had not, and how
// many would not have had what they had, at any time.
type ReplayCount struct {
	Name   string `json:"name"`
	Gained int    `json:"gained"`
	Lost   int    `json:"lost"`
}

// ReplayDifference is one person for one length of time.
type ReplayDifference struct {
	Identity     string     `json:"identity"`
	Person       string     `json:"person"`
	From         time.Time  `json:"from"`
	Until        *time.Time `json:"until,omitempty"` // absent: to this day
	Gained       []string   `json:"gained,omitempty"`
	Lost         []string   `json:"lost,omitempty"`
	AccessGained []string   `json:"access_gained,omitempty"`
	AccessLost   []string   `json:"access_lost,omitempty"`
}

func (a *API) replay(r *http.Request, _ Caller) (any, error) {
	var req ReplayRequest
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	now := a.now()
	defer a.long.begin("replay", "", "what sources wrote since "+req.Since.Format(time.RFC3339)+" is replayed", now)()
	switch {
	case strings.TrimSpace(req.Config) == "":
		return nil, model.Fail(model.Invalid, "config is missing: the text of a configuration", nil)
	case req.Since.IsZero():
		return nil, model.Fail(model.Invalid, "since is missing: the moment to begin with", nil)
	case req.Since.After(now):
		return nil, model.Fail(model.Invalid, "since lies in the future", nil)
	case req.Limit < 0 || req.Limit > replayMost:
		return nil, model.Fail(model.Invalid, fmt.Sprintf("limit must be from 1 to %d", replayMost), nil)
	}
	var base int64
	if active := a.Hub.Snapshot(); active != nil {
		base = active.Version
	}
	snap, err := hub.Compile(base+1, cmp.Or(req.Name, "configuration"), []byte(req.Config), a.Hub.Check)
	if err != nil {
		return nil, err
	}
	limit := req.Limit
	if limit == 0 {
		limit = replayDifferences
	}
	return a.Replay(r.Context(), snap, req.Since, limit)
}

// Replay puts everything that was known of people since a moment to a configuration.
func (a *API) Replay(ctx context.Context, snap *hub.Snapshot, since time.Time, limit int) (ReplayAnswer, error) {
	p := &replayer{api: a, snap: snap, limit: limit, open: map[string]*openDifference{},
		seen: map[string]bool{}, affected: map[string]bool{}, roles: tally{}, access: tally{}}
	err := a.keptSince(ctx, since)
	if err != nil {
		return p.out, err
	}
	if p.versions, _, err = a.Hub.Store.ConfigVersions(ctx, 0, replayMost); err != nil {
		return p.out, err
	}
	p.out = ReplayAnswer{Since: since.UTC(), Until: a.now().UTC(), Differences: []ReplayDifference{}}
	for after := ""; ; { // what was known when the time begins
		ids, err := a.Hub.Store.IdentityIDs(ctx, after, planBatch)
		if err != nil {
			return p.out, err
		}
		if len(ids) == 0 {
			break
		}
		after = ids[len(ids)-1]
		var rows []store.HistoryRow
		err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
			rows, err = tx.HistoryOf(ids, since)
			return err
		})
		for _, row := range rows {
			row.At = since
			err = p.add(ctx, row)
			if err != nil {
				break
			}
		}
		if err != nil {
			return p.out, err
		}
	}
	for cursor, first := "", true; first || cursor != ""; first = false {
		rows, next, err := a.Hub.Store.History(ctx, since, cursor, planBatch)
		if err != nil {
			return p.out, err
		}
		for _, row := range rows {
			if err := p.add(ctx, row); err != nil {
				return p.out, err
			}
		}
		cursor = next
	}
	// What is kept may have come to begin later while all this was read.
	return p.finish(), a.keptSince(ctx, since)
}

// keptSince refuses a moment before which something that was true then may be gone: half
// of an answer looks like a whole one.
func (a *API) keptSince(ctx context.Context, since time.Time) error {
	return a.Hub.Store.View(ctx, func(tx *store.Tx) error {
		kept, err := tx.HistoryKept()
		if err == nil && since.Before(kept) {
			err = model.Fail(model.Invalid, "since: "+since.UTC().Format(time.RFC3339)+" is older than is kept (retention.history): the history is complete since "+
				kept.UTC().Format(time.RFC3339)+"; replay from there", nil)
		}
		return err
	})
}

// replayer adds up differences, moment by moment. It keeps one of each person, and
// those that it answers with.
type replayer struct {
	api      *API
	snap     *hub.Snapshot
	limit    int
	out      ReplayAnswer
	versions []store.ConfigVersion // without texts, the newest first
	active   int64                 // the version that last is
	last     *hub.Snapshot         // nil: cannot be used any more
	open     map[string]*openDifference
	seen     map[string]bool
	affected map[string]bool
	roles    tally
	access   tally
}

// openDifference lasts until something else is known of the person.
type openDifference struct {
	what hub.Replayed
	at   int // in Differences; -1: not listed
}

// tally is who would have gained or lost a thing, by name.
type tally map[string]*[2]map[string]bool

func (t tally) note(names []string, side int, who string) {
	for _, name := range names {
		if t[name] == nil {
			t[name] = &[2]map[string]bool{{}, {}}
		}
		t[name][side][who] = true
	}
}

func (t tally) counts() []ReplayCount {
	out := []ReplayCount{}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		out = append(out, ReplayCount{name, len(t[name][0]), len(t[name][1])})
	}
	return out
}

func (p *replayer) add(ctx context.Context, row store.HistoryRow) error {
	then, err := p.then(ctx, row.At)
	if err != nil {
		return err
	}
	p.out.Moments++
	p.seen[row.Identity] = true
	r := hub.Replay(p.snap, then, row)
	was := p.open[row.Identity]
	if was != nil && was.what.Equal(r) {
		return nil
	}
	if was != nil {
		if was.at >= 0 {
			at := row.At
			p.out.Differences[was.at].Until = &at
		}
		delete(p.open, row.Identity)
	}
	if r.Empty() {
		return nil
	}
	p.affected[row.Identity] = true
	p.roles.note(r.Gained, 0, row.Identity)
	p.roles.note(r.Lost, 1, row.Identity)
	p.access.note(r.AccessGained, 0, row.Identity)
	p.access.note(r.AccessLost, 1, row.Identity)
	d := &openDifference{what: r, at: -1}
	p.open[row.Identity] = d
	if len(p.out.Differences) >= p.limit {
		p.out.More++
		return nil
	}
	d.at = len(p.out.Differences)
	p.out.Differences = append(p.out.Differences, ReplayDifference{Identity: row.Identity, Person: row.Doc.Name, From: row.At,
		Gained: r.Gained, Lost: r.Lost, AccessGained: r.AccessGained, AccessLost: r.AccessLost})
	return nil
}

// then is the configuration that was in force at a moment; nil where there was none, or
// it cannot be used any more. Moments come in order, so that one is kept.
func (p *replayer) then(ctx context.Context, at time.Time) (*hub.Snapshot, error) {
	i := slices.IndexFunc(p.versions, func(v store.ConfigVersion) bool { return !v.At.After(at) })
	if i < 0 {
		return nil, nil
	}
	n := p.versions[i].Version
	if n == p.active {
		return p.last, nil
	}
	v, err := p.api.Hub.Store.ConfigVersion(ctx, n)
	if err != nil {
		return nil, err
	}
	p.active = n
	if p.last, err = hub.Compile(n, fmt.Sprintf("version %d", n), []byte(v.Body), nil); err != nil {
		p.out.Warnings = append(p.out.Warnings, fmt.Sprintf("version %d cannot be used any more; what its roles gave is taken from the new one", n))
		p.last = nil
	}
	return p.last, nil
}

func (p *replayer) finish() ReplayAnswer {
	p.out.People, p.out.Affected = len(p.seen), len(p.affected)
	p.out.Roles, p.out.Access = p.roles.counts(), p.access.counts()
	return p.out
}
