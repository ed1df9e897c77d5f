package fanout

import (
	"context"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// accountIndex is who is at the target by match attribute, listed once before a
// large first sync so that creates need no look-up each. A stale index is safe:
// an account made since then answers the create with 409, which is looked up and
// goes through the adoption rule; one deleted since then is not found by its id
// and is looked up. Rows whose create may have been sent before never use it.
type accountIndex struct {
	mu     sync.Mutex
	by     map[string]map[string]string // attribute -> folded value -> id; manyIDs where not unique
	tried  bool
	loaded time.Time
}

const (
	indexWorthwhile = 32      // rows to look up before listing is considered
	indexLimit      = 200_000 // accounts; more are looked up one by one
	indexAge        = 10 * time.Minute
	manyIDs         = "\x00"
)

// prepare lists the target where that is cheaper than looking everybody up. Any
// failure leaves the index out.
func (x *accountIndex) prepare(ctx context.Context, r *runner, open []*job) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.by != nil && r.w.Now().Sub(x.loaded) > indexAge {
		x.by, x.tried = nil, false
	}
	if x.by != nil || x.tried || len(open) < indexWorthwhile || !r.profile.ListTrustworthy || isUrgent(ctx) {
		return
	}
	x.tried = true
	total, err := r.conn.Total(ctx)
	if err != nil || total > indexLimit || total/max(r.profile.PageMax, 1) > 8*len(open) {
		return
	}
	by := map[string]map[string]string{}
	paths := map[string]attrPath{}
	for _, attr := range r.match() {
		p, err := parseAttr(attr)
		if err != nil {
			return
		}
		by[attr], paths[attr] = map[string]string{}, p
	}
	n := 0
	began := r.w.Now()
	err = r.timed("list", func() error {
		for u, err := range r.conn.List(ctx) {
			if err != nil {
				return err
			}
			if n++; n > indexLimit {
				return &ClientError{Class: Invalid, Detail: "more accounts than an index holds"}
			}
			for attr, p := range paths {
				indexValue(by[attr], p.get(u.Attrs), u.ID)
			}
		}
		return nil
	})
	if err != nil {
		r.log.Warn("listing before the first sync failed; accounts are looked up one by one", "error", err)
		return
	}
	x.by, x.loaded = by, began
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

func (x *accountIndex) drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.by, x.tried = nil, false
}
