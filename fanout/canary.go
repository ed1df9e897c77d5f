package fanout

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// Some applications answer a filter that they do not know with an empty list, or with
// everybody. So a look-up that finds nobody proves nothing by itself: a filter is
// trusted once it has found an account that is known to be there, and has not found
// one that cannot be. Finding somebody needs no trust, for the answer shows the value.

// trust is what a filter's silence is worth.
type trust int

const (
	untested trust = iota // nothing is known to be there that it could be tested with
	trusted
	doubted
)

// verdict is what was found out about one attribute's filter. why is in words.
type verdict struct {
	trust trust
	why   string
	at    time.Time
}

// How long a verdict holds.
const (
	trustAge    = 15 * time.Minute
	doubtAge    = 5 * time.Minute
	untestedAge = 5 * time.Second
	canaryTries = 5 // accounts that are tried until one can be read

	canariesLeast = 3 // that are all gone say something of the target; fewer may have been deleted there
)

func (v verdict) holds(now time.Time) bool {
	age := map[trust]time.Duration{trusted: trustAge, doubted: doubtAge, untested: untestedAge}[v.trust]
	return !v.at.IsZero() && now.Before(v.at.Add(age))
}

// canaries are the verdicts of a target, by attribute.
type canaries struct {
	mu sync.Mutex
	by map[string]verdict
}

// believes tests the filter of an attribute, unless that was done lately. An error says
// that the test itself could not be carried out.
func (r *runner) believes(ctx context.Context, attr string) (verdict, error) {
	c := &r.canaries
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.ToLower(attr)
	if v := c.by[key]; v.holds(r.w.Now()) {
		return v, nil
	}
	v, err := r.probe(ctx, attr)
	if err != nil {
		return v, fmt.Errorf("test of the look-up by %s: %w", attr, err)
	}
	v.at = r.w.Now()
	if c.by == nil {
		c.by = map[string]verdict{}
	}
	before := c.by[key]
	c.by[key] = v
	if (v.trust == doubted) != (before.trust == doubted) || v.why != before.why && v.trust == doubted {
		r.noteDoubts(ctx, c.by)
	}
	return v, nil
}

// noteDoubts stores which look-ups are not believed, for those who ask why nothing
// happens.
func (r *runner) noteDoubts(ctx context.Context, by map[string]verdict) {
	var doubts []string
	for _, v := range by {
		if v.trust == doubted {
			doubts = append(doubts, v.why)
		}
	}
	slices.Sort(doubts)
	if r.trial {
		return
	}
	doubts = slices.Compact(doubts)
	for _, words := range doubts {
		r.log.WarnContext(ctx, "look-up not believed", "error", words)
	}
	err := r.w.Store.UpdateTargetState(context.WithoutCancel(ctx), r.target.Name, func(st *store.TargetState) { st.Doubts = doubts })
	if err != nil {
		r.log.ErrorContext(ctx, "target state cannot be stored", "error", err)
	}
}

// probe looks for an account that is there and for one that is not.
func (r *runner) probe(ctx context.Context, attr string) (verdict, error) {
	bird, value, v, err := r.canary(ctx, attr)
	if err != nil || value == "" {
		return v, err
	}
	got, found, err := r.filter(ctx, "canary", attr, value)
	switch class := ClassOf(err); {
	case class == Invalid || class == Unreadable:
		return doubt("look-ups by %s are refused: %s", attr, asClientError(err).Detail), nil
	case class == Conflict: // it found more than the one
	case err != nil:
		return verdict{}, err
	case !found:
		return doubt("look-ups by %s find nothing although account %s is there: nothing is concluded from them", attr, bird.ID), nil
	case got.ID != bird.ID:
		return doubt("look-ups by %s find account %s in place of %s: nothing is concluded from them", attr, got.ID, bird.ID), nil
	}
	got, found, err = r.filter(ctx, "canary", attr, strings.ToLower("nobody-"+rand.Text()+"@example.invalid"))
	switch class := ClassOf(err); {
	case class == Invalid || class == Conflict: // refused is as good as not found
	case err != nil:
		return verdict{}, err
	case found:
		return doubt("look-ups by %s find account %s by a value that nobody has: nothing is concluded from them", attr, got.ID), nil
	}
	return verdict{trust: trusted}, nil
}

func noneThere(n int) string {
	return fmt.Sprintf("none of %d accounts that the hub knows is there any more: nothing is concluded from what is not found", n)
}

func doubt(format string, args ...any) verdict {
	return verdict{trust: doubted, why: fmt.Sprintf(format, args...)}
}

// canary finds an account that is there, by its id: one of ours, or else any that the
// target lists, and its value of the attribute. Without one the verdict says why.
func (r *runner) canary(ctx context.Context, attr string) (bird RemoteUser, value string, v verdict, err error) {
	none := verdict{trust: untested, why: "nothing is known to be there that look-ups by " + attr + " could be tested with"}
	p, err := parseAttr(attr)
	if err != nil {
		return bird, "", none, err
	}
	ids, err := r.known(ctx)
	if err != nil {
		return bird, "", none, err
	}
	ours := len(ids)
	if ours == 0 && r.profile.ListTrustworthy { // else what it lists may be made up
		ids = r.anybody(ctx)
	}
	gone := 0
	for _, id := range ids {
		u, err := r.get(ctx, id)
		switch {
		case ClassOf(err) == Missing:
			gone++
		case err != nil:
			return bird, "", none, err
		case singleText(p.get(u.Attrs)) != "":
			return u, singleText(p.get(u.Attrs)), none, nil
		}
	}
	if gone == ours && ours >= canariesLeast {
		return bird, "", doubt("%s", noneThere(ours)), nil
	}
	return bird, "", none, nil
}

// known lists the ids of a few accounts that should be there for certain.
func (r *runner) known(ctx context.Context) ([]string, error) {
	rows, err := r.w.Store.Canaries(ctx, r.target.Name, r.w.Now().Add(-r.inconsistency()), canaryTries)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.RemoteID)
	}
	return ids, nil
}

// anybody is the first account that the target lists. That it lists none, or cannot, is
// no failure: then there is nothing to test with.
func (r *runner) anybody(ctx context.Context) []string {
	var ids []string
	err := r.timed("list", func() error {
		for u, err := range r.conn.List(ctx) {
			if err != nil {
				return err
			}
			ids = append(ids, u.ID)
			return nil
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return ids
}

// inconsistency is how long reads may show what was before a write.
func (r *runner) inconsistency() time.Duration {
	return time.Duration(r.profile.EventualSeconds) * time.Second
}

// absence decides whether an account that was not found is not there. nil: it is not,
// or nobody can know and a create will tell. With an error nothing may be concluded.
//
//	silent filters                      complete list      absent
//	-----------------------------------------------------------------------------
//	one is trusted                      –                  yes
//	–                                   searched           yes
//	none is tested, none doubted        –                  a create is the test
//	some doubted, none trusted          can be searched    as it shows (found is set)
//	some doubted, none trusted          cannot             unknown: an error
func (r *runner) absence(ctx context.Context, j *job, q *inquiry) (u RemoteUser, found bool, err error) {
	if q.listed || len(q.silent) == 0 {
		return u, false, nil
	}
	var why []string
	for _, attr := range q.silent {
		v, err := r.believes(ctx, attr)
		if err != nil {
			return u, false, err
		}
		traceOf(ctx).weighed(attr, v)
		switch v.trust {
		case trusted:
			return u, false, nil
		case doubted:
			why = append(why, v.why)
		case untested:
		}
	}
	if len(why) == 0 {
		return u, false, nil
	}
	if r.index.load(ctx, r) {
		return r.listed(ctx, j)
	}
	slices.Sort(why)
	return u, false, &ClientError{Class: Garbage, Detail: strings.Join(slices.Compact(why), "; ")}
}

// listed searches the complete list for the account of a row.
func (r *runner) listed(ctx context.Context, j *job) (RemoteUser, bool, error) {
	for _, like := range candidates(j.row) {
		canonical := r.profile.Canonical(*like)
		for _, attr := range r.match() {
			value := matchValue(canonical, attr)
			if value == "" {
				continue
			}
			id, known := r.index.find(attr, value)
			switch {
			case !known && !r.index.has(attr):
				return RemoteUser{}, false, &ClientError{Class: Garbage, Detail: "look-ups are not believed here, and the list of accounts has become old: it is read again"}
			case !known:
				return RemoteUser{}, false, &ClientError{Class: Conflict, Detail: fmt.Sprintf("more than one account has %s %q; a person has to decide which one is meant", attr, value)}
			}
			if id == "" {
				continue
			}
			u, err := r.get(ctx, id)
			if ClassOf(err) == Missing {
				continue // deleted since
			}
			if err == nil && !hasValue(u, attr, value) {
				continue // changed since, or another spelling of it
			}
			return u, err == nil, err
		}
	}
	return RemoteUser{}, false, nil
}
