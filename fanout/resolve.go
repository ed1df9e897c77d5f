package fanout

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// resolve finds the accounts of rows of which nothing is known at the target, so
// that what exists is taken over by rule instead of made twice; and it reads those
// again of which it is not certain what became of the last write.
func (r *runner) resolve(soft, hard context.Context, jobs []*job, width int) {
	var open, again []*job
	for _, j := range jobs {
		switch {
		case j.row.Applied == nil && (j.row.Desired != nil || j.intent) && j.row.State != model.StateUnknown:
			open = append(open, j)
		case j.row.Applied != nil && j.row.RemoteID != "" && len(j.row.Sent) > 0:
			again = append(again, j)
		}
	}
	r.ask(soft, hard, again, width, r.reread)
	if len(open) == 0 {
		return
	}
	r.index.prepare(hard, r, open)
	r.ask(soft, hard, open, width, r.find)
	r.unlinked(hard, open)
}

// ask puts a question about each job to the target.
func (r *runner) ask(soft, hard context.Context, jobs []*job, width int, question func(context.Context, *job)) {
	pool := errgroup.Group{}
	pool.SetLimit(width)
	for _, j := range jobs {
		pool.Go(func() error {
			if j.drop = r.halted(soft, hard); !j.drop {
				err := survive(r.log, func() error { question(hard, j); return nil })
				if err != nil {
					j.fail(model.Change{Verb: model.Update, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}, err)
				}
			}
			return nil
		})
	}
	_ = pool.Wait() // the functions return nil: failures belong to their job
}

// halted reports whether nothing new may begin: the worker stops, or the target
// is being waited for, which leavers do not heed.
func (r *runner) halted(soft, hard context.Context) bool {
	return soft.Err() != nil || (!isUrgent(hard) && r.w.Now().Before(r.standing().RetryAt))
}

// find looks for the account of one row and applies the adoption rule.
func (r *runner) find(ctx context.Context, j *job) {
	if err := r.search(ctx, j); err != nil {
		j.fail(model.Change{Verb: model.Create, Identity: j.row.Identity, UserName: nameOf(j.row)}, err)
	}
}

func (r *runner) search(ctx context.Context, j *job) error {
	if j.row.RemoteID != "" { // found before, held for approval
		u, err := r.get(ctx, j.row.RemoteID)
		if err == nil {
			return r.take(j, u)
		}
		if ClassOf(err) != Missing {
			return err
		}
		j.row.RemoteID, j.row.Observed = "", nil
	}
	u, found, err := r.lookup(ctx, j, !j.intent)
	if err != nil {
		return err
	}
	if !found {
		j.row.Observed = nil
		if j.row.Desired == nil {
			j.row.Owned = "" // the create never arrived; nothing is there to remove
		}
		return nil
	}
	return r.take(j, u)
}

func (r *runner) get(ctx context.Context, id string) (u RemoteUser, err error) {
	err = r.timed("get", func() error {
		u, err = r.conn.Get(ctx, id)
		return err
	})
	return u, err
}

// lookup goes through the target's match attributes in order; the first that
// finds an account decides. With indexed the listing of this round answers where
// there is one.
func (r *runner) lookup(ctx context.Context, j *job, indexed bool) (RemoteUser, bool, error) {
	asked := map[string]bool{}
	for _, like := range candidates(j.row) {
		u, found, err := r.lookupLike(ctx, r.profile.Canonical(*like), indexed, asked)
		if err != nil || found {
			return u, found, err
		}
	}
	return RemoteUser{}, false, nil
}

// candidates are what the account may look like at the target: what is wanted now,
// and what was sent when the outcome of its creation was lost.
func candidates(row model.AccountRow) []*model.Account {
	var out []*model.Account
	if row.Desired != nil {
		out = append(out, row.Desired)
	}
	if row.Owned == model.OwnedCreating || row.Desired == nil {
		if row.Observed != nil {
			out = append(out, row.Observed)
		}
		for i := range row.Sent {
			out = append(out, &row.Sent[len(row.Sent)-1-i]) // the newest first
		}
	}
	return out
}

// lookupLike asks for each value once.
func (r *runner) lookupLike(ctx context.Context, like model.Account, indexed bool, asked map[string]bool) (RemoteUser, bool, error) {
	for _, attr := range r.match() {
		value := matchValue(like, attr)
		if value == "" || asked[attr+"\x00"+value] {
			continue
		}
		asked[attr+"\x00"+value] = true
		if indexed {
			if id, known := r.index.find(attr, value); known {
				if id == "" {
					continue
				}
				if u, err := r.get(ctx, id); err == nil && hasValue(u, attr, value) {
					return u, true, nil
				}
			}
		}
		var u RemoteUser
		var found bool
		err := r.timed("lookup", func() (err error) {
			u, found, err = r.conn.Lookup(ctx, attr, value)
			return err
		})
		if err != nil || found {
			return u, found, err
		}
	}
	return RemoteUser{}, false, nil
}

// match lists the attributes by which accounts are recognised and that the
// application can search by; userName always can.
func (r *runner) match() []string {
	list := r.target.Match
	if len(list) == 0 {
		list = []string{"externalId", "userName"}
	}
	var out []string
	for _, attr := range list {
		if r.profile.Filterable(attr) {
			out = append(out, attr)
		}
	}
	if len(out) == 0 {
		out = []string{"userName"}
	}
	return out
}

func matchValue(a model.Account, attr string) string {
	if strings.EqualFold(attr, "userName") {
		return a.UserName
	}
	p, err := parseAttr(attr)
	if err != nil {
		return ""
	}
	return scalarText(p.get(document(a)))
}

func hasValue(u RemoteUser, attr, value string) bool {
	p, err := parseAttr(attr)
	return err == nil && carries(p.get(u.Attrs), value, caseExact(attr))
}

// take applies the adoption rule to an account that was found. One whose
// creation we had begun is ours: it was not there when the intent was written.
func (r *runner) take(j *job, u RemoteUser) error {
	if name, hit := r.protect.matchDoc(u.ID, u.Attrs); hit {
		j.held = heldProtected + ": " + name
		return nil
	}
	seen := observe(r.profile, u, j.row.Desired)
	j.row.RemoteID, j.row.Observed = u.ID, &seen
	if j.intent {
		j.row.Owned = model.OwnedCreated
		r.shown(&j.row, seen)
		return nil
	}
	if r.target.Adopt == "never" {
		j.row.RemoteID, j.row.Observed = "", nil
		return &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %q (%s) exists already and adopt is never", u.UserName, u.ID)}
	}
	return nil
}

// unlinked fails rows whose account belongs to somebody else by now: to another
// row in the store or to another one of this chunk.
func (r *runner) unlinked(ctx context.Context, jobs []*job) {
	var ids []string
	first := map[string]string{}
	for _, j := range jobs {
		if j.row.RemoteID != "" && j.err == nil {
			ids = append(ids, j.row.RemoteID)
			if _, taken := first[j.row.RemoteID]; !taken {
				first[j.row.RemoteID] = j.row.Identity
			}
		}
	}
	if len(ids) == 0 {
		return
	}
	rows, err := r.w.Store.AccountsByRemote(ctx, r.target.Name, ids)
	for _, row := range rows {
		if !isForeign(row) && (row.Owned != "" || row.Applied != nil) {
			first[row.RemoteID] = row.Identity
		}
	}
	for _, j := range jobs {
		if j.row.RemoteID == "" || j.err != nil {
			continue
		}
		if err != nil {
			j.drop = true
			continue
		}
		owner := first[j.row.RemoteID]
		if owner == j.row.Identity {
			owner = r.entered(j)
		}
		if owner != j.row.Identity {
			c := model.Change{Verb: model.Adopt, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}
			j.fail(c, &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %s is that of identity %s already", j.row.RemoteID, owner)})
			j.row.RemoteID, j.row.Observed, j.row.Applied = "", nil, nil
			if j.row.Owned == model.OwnedCreated {
				j.row.Owned = model.OwnedCreating
			}
		}
	}
}

// entered is whose the account of a job is by the ledger: the job's own, from now on,
// unless it is somebody else's.
func (r *runner) entered(j *job) string {
	if j.row.Observed != nil {
		if other := r.ledger.other(nameKey(j.row.Observed.UserName), j.row.Identity); other != "" {
			return other
		}
	}
	owner, _ := r.ledger.take(idKey(j.row.RemoteID), j.row.Identity)
	return owner
}

// isForeign tells the rows of accounts that are nobody's the hub knows.
func isForeign(r model.AccountRow) bool { return strings.HasPrefix(r.Identity, "?") }

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
