package fanout

import (
	"context"
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
type accountIndex struct {
	mu     sync.Mutex
	by     map[string]map[string]string // attribute -> folded value -> id; manyIDs where not unique
	tried  time.Time                    // when listing was last given up
	loaded time.Time
	took   time.Duration // that listing took
	needed bool          // look-ups are not believed: it is kept until it is old
}

const (
	indexWorthwhile = 32      // rows to look up before listing is considered
	indexLimit      = 200_000 // accounts; more are looked up one by one
	indexAge        = 10 * time.Minute
	indexFresh      = time.Second // of a list that has to be newer than something else
	manyIDs         = "\x00"
)

// prepare lists the target where that is cheaper than looking everybody up. Any
// failure leaves the index out.
func (x *accountIndex) prepare(ctx context.Context, r *runner, open []*job) {
	if len(open) >= indexWorthwhile && !isUrgent(ctx) {
		x.fill(ctx, r, 8*len(open)*max(r.profile.PageMax, 1))
	}
}

// load lists the target whatever it costs within the limit; false where its list is not
// to be had or not to be believed.
func (x *accountIndex) load(ctx context.Context, r *runner) bool {
	loaded := x.fill(ctx, r, indexLimit)
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

func (x *accountIndex) fill(ctx context.Context, r *runner, most int) bool {
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
	if err != nil || total > min(most, indexLimit) {
		return false
	}
	by, err := x.read(ctx, r)
	if err != nil {
		r.log.WarnContext(ctx, "the list of accounts cannot be used; accounts are looked up one by one", "error", err)
		return false
	}
	x.by, x.loaded, x.took, x.tried = by, now, r.w.Now().Sub(now), time.Time{}
	return true
}

// read lists everybody. A list that leaves out an account that is there is no list of
// everybody, whatever it says.
func (x *accountIndex) read(ctx context.Context, r *runner) (map[string]map[string]string, error) {
	by := map[string]map[string]string{}
	paths := map[string]attrPath{}
	for _, attr := range r.match() {
		p, err := parseAttr(attr)
		if err != nil {
			return nil, err
		}
		by[attr], paths[attr] = map[string]string{}, p
	}
	ids, err := r.known(ctx)
	if err != nil {
		return nil, err
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
			if n++; n > indexLimit {
				return &ClientError{Class: Invalid, Detail: "more accounts than an index holds"}
			}
			delete(unseen, u.ID)
			for attr, p := range paths {
				indexValue(by[attr], p.get(u.Attrs), u.ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	gone := 0
	for id := range unseen {
		if _, err := r.get(ctx, id); ClassOf(err) != Missing {
			return nil, &ClientError{Class: Garbage, Detail: "the list leaves out account " + id + ", which is there"}
		}
		gone++
	}
	if gone == len(ids) && gone >= canariesLeast {
		return nil, &ClientError{Class: Garbage, Detail: noneThere(gone)}
	}
	return by, nil
}

func indexValue(m map[string]string, v any, id string) {
	switch n := v.(type) {
	case []any:
		for _, e := range n {
			indexValue(m, e, id)
		}
	case map[string]any:
		inner, _ := field(n, "value")
		indexValue(m, plain(inner), id)
	default:
		key := scim.Fold(scalarText(v))
		if key == "" {
			return
		}
		if have, taken := m[key]; taken && have != id {
			id = manyIDs
		}
		m[key] = id
	}
}

// find answers from the index; known is false where it cannot say. An empty id
// means nobody has the value.
func (x *accountIndex) find(attr, value string) (id string, known bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m, ok := x.by[attr]
	if !ok {
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
