package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model/scim"
)

// A page deep in a long list would be found by counting all rows before it. Instead,
// each process keeps in memory, for every list that somebody pages through, the ids
// of the rows at every so-manieth place: anchors. Ids grow with time, so a place
// changes only when an older resource is deleted; how many were deleted is counted in
// the database, and which, is kept there for a while. A page read from an anchor
// brings the count of the same moment along: if it is not the one the anchors are
// good for, they are brought up to date, and the page is read again.
//
// Rows younger than a margin get no anchor: one that was given its id before them may
// still be on its way into the database. Whenever the sums do not come out, all
// anchors of the list are made anew; and where they are of no use, the page is
// counted as any other.

// deepPages holds the anchors of all lists.
type deepPages struct {
	every  int           // places between anchors
	from   int           // startIndex from which anchors are used
	margin time.Duration // age that a row must have

	mu    *sync.Mutex
	lists map[[2]string]*anchors // by source and kind
}

const (
	anchorEvery   = 500
	anchorFrom    = 2000
	anchorMargin  = 2 * time.Minute
	anchorRenew   = 10 * time.Second // no sooner are anchors looked for among new rows
	tombstoneLife = time.Hour
	mostDeleted   = 20_000 // deletions remembered before a list's anchors are made anew
)

func newDeepPages() deepPages {
	return deepPages{every: anchorEvery, from: anchorFrom, margin: anchorMargin, mu: &sync.Mutex{}, lists: map[[2]string]*anchors{}}
}

// anchor is the first row at or behind an id; zero for none.
type anchor struct {
	id    string
	place int // 1-based, in the list as it was when its anchors were made
}

// anchors are those of one list, good for the moment when so many were gone.
type anchors struct {
	mu      sync.Mutex
	list    []anchor
	gone    int64     // deletions counted in the database, as of the last look
	base    int64     // of these, those that were over when the anchors were made
	deleted []string  // ids deleted since, sorted
	earlier []string  // of what was deleted before, that which may be found again, sorted
	synced  time.Time // when tombstones were read last
	grown   time.Time // when new anchors were looked for last
}

func (s *Store) isDeep(q scim.Query) bool {
	return q.StartIndex > s.deep.from && q.Filter == nil && q.Sort == nil && !q.ByCursor && q.Count > 0
}

// before counts the deleted ids before one.
func (a *anchors) before(id string) int {
	n, _ := slices.BinarySearch(a.deleted, id)
	return n
}

// place is where an anchor is now.
func (a *anchors) place(x anchor) int { return x.place - a.before(x.id) }

// locate finds the last anchor at or before a place, as it is now.
func (a *anchors) locate(start int) (anchor, bool) {
	i, _ := slices.BinarySearchFunc(a.list, start, func(x anchor, start int) int {
		if a.place(x) <= start {
			return -1
		}
		return 1
	})
	if i == 0 {
		return anchor{}, false
	}
	return anchor{a.list[i-1].id, a.place(a.list[i-1])}, true
}

// deepPage reads a page by an anchor; false if that is not possible at the moment.
func (s *Store) deepPage(ctx context.Context, source string, t *scim.ResourceType, q scim.Query) (scim.Page, bool, error) {
	a := s.deep.of(source, t.Name)
	for range 3 {
		at, gone, ok, err := s.anchorAt(ctx, a, source, t.Name, q.StartIndex)
		if err != nil || !ok {
			return scim.Page{}, false, err
		}
		page := scim.Page{StartIndex: q.StartIndex}
		seen := int64(-1)
		err = s.reading(t, q.Fields)(ctx, func(tx *Tx) error {
			l := listing{source: source, rt: t, q: q, where: `r.source = ? AND r.kind = ?`, args: []any{source, t.Name}, order: tx.order(t, nil), gone: &seen}
			where := ` AND r.id >= (SELECT r.id FROM resources r WHERE ` + l.where + ` AND r.id >= ? ORDER BY r.id LIMIT 1 OFFSET ?)`
			return tx.page(l, where, append(slices.Clone(l.args), at.id, q.StartIndex-at.place), q.Count, &page, nil)
		})
		if err != nil || seen == gone {
			return page, err == nil, err
		}
		if seen < 0 { // nothing there: behind the end, or so it seemed
			err := s.single(ctx, s.read, func(tx *Tx) error { return tx.row(countAll, source, t.Name).Scan(&page.Total) })
			return page, err == nil && page.Total < q.StartIndex, err
		}
		if err := s.syncAnchors(ctx, a, source, t.Name); err != nil {
			return scim.Page{}, false, err
		}
	}
	return scim.Page{}, false, nil
}

// countGone is the number of resources of a source and kind that were deleted.
const countGone = `SELECT CAST(coalesce(sum(gone), 0) AS bigint) FROM resource_counts WHERE source = ? AND kind = ?`

func (d *deepPages) of(source, kind string) *anchors {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := [2]string{source, kind}
	if d.lists[key] == nil {
		d.lists[key] = &anchors{}
	}
	return d.lists[key]
}

// anchorAt finds the anchor for a page, and makes anchors where there are none, unless
// somebody else is at it: then there is none for the moment.
func (s *Store) anchorAt(ctx context.Context, a *anchors, source, kind string, start int) (at anchor, gone int64, ok bool, err error) {
	if !a.mu.TryLock() {
		return anchor{}, 0, false, nil
	}
	defer a.mu.Unlock()
	at, ok = a.locate(start)
	if (!ok || start-at.place > 2*s.deep.every) && s.Now().Sub(a.grown).Abs() >= anchorRenew {
		if err := s.growAnchors(ctx, a, source, kind); err != nil {
			return anchor{}, 0, false, err
		}
		at, ok = a.locate(start)
	}
	return at, a.gone, ok, nil
}

// syncAnchors brings anchors up to date with what was deleted.
func (s *Store) syncAnchors(ctx context.Context, a *anchors, source, kind string) error {
	if !a.mu.TryLock() {
		return nil // who holds it does the same
	}
	defer a.mu.Unlock()
	return s.View(ctx, func(tx *Tx) error { return a.sync(tx, source, kind, s.deep.margin) })
}

// growAnchors looks for anchors behind the last one.
func (s *Store) growAnchors(ctx context.Context, a *anchors, source, kind string) error {
	return s.View(ctx, func(tx *Tx) error {
		if err := a.sync(tx, source, kind, s.deep.margin); err != nil {
			return err
		}
		from, place := "", 1
		if len(a.list) > 0 {
			last := a.list[len(a.list)-1]
			from, place = last.id, a.place(last)
		}
		rows, err := tx.query(`SELECT id, n FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM resources WHERE source = ? AND kind = ? AND id >= ? AND id < ?) x WHERE n > 1 AND n % ? = 1 ORDER BY id`,
			source, kind, from, youngest(tx.Now.Add(-s.deep.margin)), s.deep.every)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var x anchor
			if err := rows.Scan(&x.id, &x.place); err != nil {
				return err
			}
			x.place += place - 1 + a.before(x.id)
			a.list = append(a.list, x)
		}
		a.grown = tx.Now
		return rows.Err()
	})
}

// sync reads what was deleted since the last look. If that is not all that was counted,
// or too much to remember, the anchors are forgotten: those to come are good for what
// is gone now.
func (a *anchors) sync(tx *Tx, source, kind string, margin time.Duration) error {
	if err := tx.row(countGone, source, kind).Scan(&a.gone); err != nil {
		return err
	}
	if a.gone == a.base+int64(len(a.deleted)) && len(a.list) > 0 {
		a.synced = tx.Now
		return nil
	}
	if len(a.list) > 0 {
		found, err := a.tombstones(tx, source, kind, a.synced.Add(-margin))
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(id string) bool {
			_, known := slices.BinarySearch(a.earlier, id)
			return known
		})
		a.deleted = append(a.deleted, found...)
		slices.Sort(a.deleted)
		a.deleted = slices.Compact(a.deleted)
		a.synced = tx.Now
		if a.gone == a.base+int64(len(a.deleted)) && len(a.deleted) < mostDeleted {
			return nil
		}
	}
	earlier, err := a.tombstones(tx, source, kind, tx.Now.Add(-margin))
	slices.Sort(earlier)
	a.list, a.deleted, a.earlier, a.base, a.synced, a.grown = nil, nil, earlier, a.gone, tx.Now, time.Time{}
	return err
}

// tombstones lists what was deleted since a moment.
func (*anchors) tombstones(tx *Tx, source, kind string, since time.Time) ([]string, error) {
	return tx.texts(`SELECT id FROM resource_tombstones WHERE source = ? AND kind = ? AND at >= ? LIMIT ?`, source, kind, micros(since), mostDeleted)
}

// youngest is the text before which the ids of all resources made before a moment
// come (RFC 9562 §5.7: UUIDs of version 7 begin with the time). Ids of another make
// have no anchors.
func youngest(at time.Time) string {
	var id uuid.UUID
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	text, _, _ := strings.Cut(id.String(), "-0000-")
	return text
}
