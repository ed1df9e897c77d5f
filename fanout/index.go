package fanout

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// accountIndex is who is at the target by match attribute, listed once before a
// large first sync so that creates need no look-up each, or where look-ups cannot be
// believed. A stale index is safe: an account made since then answers the create with
// 409, which is looked up and goes through the adoption rule; one deleted since then is
// not found by its id and is looked up. Rows whose create may have been sent before
// never use it.
//
// For a first sync it keeps no more than that somebody has a value, eight bytes each:
// most of those asked for are nobody's, and who is somebody's is looked up.
type accountIndex struct {
	mu      sync.Mutex
	by      map[string]map[string]string   // attribute -> folded value -> id; manyIDs where not unique
	taken   map[string]map[uint64]struct{} // attribute -> hashes of folded values
	seed    maphash.Seed
	asked   int       // rows that were open since the list was read or refused
	weighed time.Time // when it was last asked whether the list is worth reading
	tried   time.Time // when listing with ids was last given up
	loaded  time.Time // of by
	read    time.Time // of taken
	took    time.Duration
	needed  bool // look-ups are not believed: by is kept until it is old
}

const (
	indexWorthwhile = 32        // rows to look up before listing is considered
	indexShare      = 8         // accounts listed for each row to look up, at most: so much less does one cost in a page
	indexLimit      = 200_000   // accounts, with their ids
	takenLimit      = 1_000_000 // accounts, without; more are looked up one by one
	indexAge        = 10 * time.Minute
	indexAgain      = 30 * time.Second // between questions whether a list is worth reading
	indexFresh      = time.Second      // of a list that has to be newer than something else
	manyIDs         = "\x00"
)

// prepare lists the target where that is cheaper than looking everybody up: all who
// are due, or as many as came since the last list. Any failure leaves the index out.
func (x *accountIndex) prepare(ctx context.Context, r *runner, open []*job) {
	if isUrgent(ctx) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	now := r.w.Now()
	x.asked += len(open)
	if x.taken != nil && now.Sub(x.read) > indexAge {
		x.taken = nil
	}
	if x.taken != nil || x.by != nil || !r.profile.ListTrustworthy || now.Sub(x.weighed) < indexAgain {
		return
	}
	rows := x.asked
	if due, err := r.w.Store.DueByNow(ctx, r.target.Name); err == nil {
		rows = max(rows, due)
	}
	if rows < indexWorthwhile {
		return
	}
	x.weighed = now
	total, err := r.conn.Total(ctx)
	if err != nil || total > min(indexShare*rows, takenLimit) {
		return
	}
	taken := map[string]map[uint64]struct{}{}
	for _, attr := range r.match() {
		taken[attr] = map[uint64]struct{}{}
	}
	x.seed = maphash.MakeSeed()
	err = x.list(ctx, r, takenLimit, func(attr, value, _ string) {
		taken[attr][maphash.String(x.seed, value)] = struct{}{}
	})
	if err != nil {
		r.log.WarnContext(ctx, "the list of accounts cannot be used; accounts are looked up one by one", "error", err)
		return
	}
	x.taken, x.read, x.asked = taken, now, 0
}

// load lists the target whatever it costs within the limit; false where its list is not
// to be had or not to be believed.
func (x *accountIndex) load(ctx context.Context, r *runner) bool {
	loaded := x.fill(ctx, r)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.needed = true
	return loaded
}

// reload is load of a list that is as new as may be: one that was read a moment ago, for
// its size, is not read again.
func (x *accountIndex) reload(ctx context.Context, r *runner) bool {
	x.mu.Lock()
	if x.by != nil && r.w.Now().Sub(x.loaded) > max(indexFresh, 20*x.took) {
		x.by = nil
	}
	x.mu.Unlock()
	return x.load(ctx, r)
}

func (x *accountIndex) fill(ctx context.Context, r *runner) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := r.w.Now()
	if x.by != nil && now.Sub(x.loaded) > indexAge {
		x.by, x.needed = nil, false
	}
	if x.by != nil || !r.profile.ListTrustworthy || now.Sub(x.tried) < indexAge {
		return x.by != nil
	}
	x.tried = now
	total, err := r.conn.Total(ctx)
	if err != nil || total > indexLimit {
		return false
	}
	by, err := x.ids(ctx, r)
	if err != nil {
		r.log.WarnContext(ctx, "the list of accounts cannot be used; accounts are looked up one by one", "error", err)
		return false
	}
	x.by, x.loaded, x.took, x.tried = by, now, r.w.Now().Sub(now), time.Time{}
	return true
}

// ids lists everybody with their ids.
func (x *accountIndex) ids(ctx context.Context, r *runner) (map[string]map[string]string, error) {
	by := map[string]map[string]string{}
	for _, attr := range r.match() {
		by[attr] = map[string]string{}
	}
	err := x.list(ctx, r, indexLimit, func(attr, value, id string) {
		if have, taken := by[attr][value]; taken && have != id {
			id = manyIDs
		}
		by[attr][value] = id
	})
	return by, err
}

// list shows every value of the match attributes of everybody, folded, and whose it is. A
// list that leaves out an account that is there is no list of everybody, whatever it says.
func (x *accountIndex) list(ctx context.Context, r *runner, most int, each func(attr, value, id string)) error {
	paths := map[string]attrPath{}
	for _, attr := range r.match() {
		p, err := parseAttr(attr)
		if err != nil {
			return err
		}
		paths[attr] = p
	}
	ids, err := r.known(ctx)
	if err != nil {
		return err
	}
	unseen := map[string]bool{}
	for _, id := range ids {
		unseen[id] = true
	}
	n := 0
	err = r.timed("list", func() error {
		for u, err := range r.conn.List(ctx) {
			if err != nil {
				return err
			}
			if n++; n > most {
				return &ClientError{Class: Invalid, Detail: "more accounts than an index holds"}
			}
			delete(unseen, u.ID)
			for attr, p := range paths {
				indexValue(p.get(u.Attrs), func(value string) { each(attr, value, u.ID) })
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	gone := 0
	for id := range unseen {
		if _, err := r.get(ctx, id); ClassOf(err) != Missing {
			return &ClientError{Class: Garbage, Detail: "the list leaves out account " + id + ", which is there"}
		}
		gone++
	}
	if gone == len(ids) && gone >= canariesLeast {
		return &ClientError{Class: Garbage, Detail: noneThere(gone)}
	}
	return nil
}

func indexValue(v any, each func(value string)) {
	switch n := v.(type) {
	case []any:
		for _, e := range n {
			indexValue(e, each)
		}
	case map[string]any:
		inner, _ := field(n, "value")
		indexValue(plain(inner), each)
	default:
		if key := scim.Fold(scalarText(v)); key != "" {
			each(key)
		}
	}
}

// find answers from the index; known is false where it cannot say. An empty id
// means nobody has the value.
func (x *accountIndex) find(attr, value string) (id string, known bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m, ok := x.by[attr]
	if !ok {
		taken, ok := x.taken[attr]
		if ok {
			_, ok = taken[maphash.String(x.seed, scim.Fold(value))]
			return "", !ok // somebody has it: the look-up says who
		}
		return "", false
	}
	if id = m[scim.Fold(value)]; id == manyIDs {
		return "", false // the look-up says what is wrong
	}
	return id, true
}

// has reports whether the index holds an attribute.
func (x *accountIndex) has(attr string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.by[attr]
	return ok
}

func (x *accountIndex) drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.needed {
		x.by, x.tried = nil, time.Time{}
	}
}
