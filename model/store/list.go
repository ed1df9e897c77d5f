package store

import (
	"context"
	"errors"

	"github.com/scimhub/scimhub/model/scim"
)

// listing is a list that was asked for, on its way to SQL over the row alias r.
type listing struct {
	source string
	rt     *scim.ResourceType
	q      scim.Query
	where  string // whose, of which type, and what the filter demands
	args   []any
	few    bool // an index finds the few rows that can match
	order  order
	gone   *int64 // of a deep page: becomes the number of deletions, as of the same moment
}

// Resources lists a page of a source's resources: by number, or by position behind
// the last one seen. The order is that of q.Sort, and of ids among equals; ids grow
// with time, so that new ones come behind.
//
// A position names the last resource of a page, and its sort key: whatever is
// written meanwhile, a resource that exists all the time is seen exactly once
// (unless its own key changes). 400 invalidCursor if q.After is no position.
func (s *Store) Resources(ctx context.Context, source string, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	if s.isDeep(q) {
		if page, ok, err := s.deepPage(ctx, source, t, q); ok || err != nil {
			return page, err
		}
	}
	page := scim.Page{StartIndex: q.StartIndex}
	err := s.reading(t, q.Fields)(ctx, func(tx *Tx) error {
		l := listing{source: source, rt: t, q: q, where: `r.source = ? AND r.kind = ?`, args: []any{source, t.Name}}
		if q.Filter != nil {
			cond, cargs, few, err := tx.condition(q.Filter, t)
			if err != nil {
				return err
			}
			l.where, l.args, l.few = l.where+` AND `+cond, append(l.args, cargs...), few
		}
		l.order = tx.order(t, q.Sort)
		l.where += l.order.demand()
		if q.ByCursor {
			return tx.pageBehind(l, &page)
		}
		return tx.pageAt(l, &page)
	})
	return page, err
}

// countAll is the number of resources of a source and kind, from the maintained counts.
const countAll = `SELECT coalesce(sum(n), 0) FROM resource_counts WHERE source = ? AND kind = ?`

// pageAt reads a page by number.
func (t *Tx) pageAt(l listing, page *scim.Page) error {
	if l.q.Count == 0 {
		return t.total(l, page)
	}
	where, args := ``, []any(nil)
	if skip := l.q.StartIndex - 1; skip > 0 { // skip in the index, not over documents and groups
		args = append(append(args, l.args...), skip)
		if l.q.Sort == nil {
			where = ` AND r.id >= (SELECT r.id FROM resources r WHERE ` + l.where + ` ORDER BY r.id LIMIT 1 OFFSET ?)`
		} else {
			where = ` AND r.id IN (SELECT r.id FROM resources r WHERE ` + l.where + ` ORDER BY ` + l.order.by(l.few) + ` LIMIT ? OFFSET ?)`
			args[len(args)-1] = l.q.Count
			args = append(args, skip)
		}
	}
	if err := t.page(l, where, args, l.q.Count, page, nil); err != nil {
		return err
	}
	if l.q.Filter == nil && len(page.Resources) > 0 {
		return nil // the total came with the page
	}
	return t.total(l, page)
}

// pageBehind reads a page by position, and one row more, to know whether it is the
// last page. Only the first page counts.
func (t *Tx) pageBehind(l listing, page *scim.Page) error {
	page.Total = -1
	where, args := ``, []any(nil)
	if l.q.After != "" {
		at, err := l.order.parse(l.q.After)
		if err != nil {
			return err
		}
		where, args = l.order.behind(at)
	}
	if l.q.Count > 0 {
		var last position
		if err := t.page(l, where, args, l.q.Count+1, page, &last); err != nil {
			return err
		}
		if len(page.Resources) > l.q.Count {
			page.Resources = page.Resources[:l.q.Count]
			page.Next = l.order.text(last)
		}
	}
	if l.q.After != "" {
		page.Total = -1
		return nil
	}
	if l.q.Filter == nil && len(page.Resources) > 0 {
		return nil
	}
	if page.Next != "" { // there are more than the page shows
		l.q.Count = len(page.Resources)
	}
	return t.total(l, page)
}

// page reads up to limit rows of the list that where narrows further and, where
// nothing is filtered, the total with them. last becomes the position of the last
// row but those beyond the page's size.
func (t *Tx) page(l listing, where string, wargs []any, limit int, page *scim.Page, last *position) error {
	count, args := `0`, []any(nil)
	if l.q.Filter == nil && l.q.After == "" {
		count, args = `(`+countAll+`)`, []any{l.source, l.rt.Name}
	}
	if l.gone != nil {
		count, args = count+`, (`+countGone+`)`, append(args, l.source, l.rt.Name)
	}
	args = append(append(append(args, l.args...), wargs...), limit)
	rows, err := t.query(`SELECT `+t.columns(l.rt.Name, l.q.Fields)+`, `+count+l.order.column()+` FROM resources r WHERE `+l.where+where+` ORDER BY `+l.order.by(l.few)+` LIMIT ?`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var key any
	more := []any{&page.Total}
	if l.gone != nil {
		more = append(more, l.gone)
	}
	if l.order.expr != "" {
		more = append(more, &key)
	}
	read := reads(l.rt.Name, l.q.Fields, more...)
	grouped := map[string]bool{}
	page.Resources = make([]scim.Resource, 0, min(limit, perStatement+1))
	for rows.Next() {
		key = nil
		h, err := read.scan(rows)
		if err != nil {
			return err
		}
		page.Resources = append(page.Resources, h.Resource)
		if h.grouped {
			grouped[h.Resource.ID] = true
		}
		if last != nil && len(page.Resources) <= l.q.Count {
			*last = position{id: h.Resource.ID, key: key}
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	shown := page.Resources[:min(len(page.Resources), l.q.Count)]
	refs, users := make([]*scim.Resource, len(shown)), map[string]*scim.Resource{}
	for i := range shown {
		refs[i] = &shown[i]
		if grouped[refs[i].ID] {
			users[refs[i].ID] = refs[i]
		}
	}
	return errors.Join(t.loadGroups(l.source, users), t.loadMembers(l.rt, refs, l.q.Fields))
}

// total counts matches: from the page itself where it is the last one, from the
// maintained counts where nothing is filtered, else by the database.
func (t *Tx) total(l listing, page *scim.Page) error {
	got := len(page.Resources)
	seen := l.q.StartIndex - 1 + got
	if got > 0 && got < l.q.Count {
		page.Total = seen
		return nil
	}
	if l.q.Filter != nil && got == 0 && l.q.Count > 0 && l.q.StartIndex == 1 {
		page.Total = 0
		return nil
	}
	if l.q.Filter == nil {
		return t.row(countAll, l.source, l.rt.Name).Scan(&page.Total)
	}
	err := t.row(`SELECT count(*) FROM resources r WHERE `+l.where, l.args...).Scan(&page.Total)
	if got > 0 {
		page.Total = max(page.Total, seen) // some may have gone between the two statements
	}
	return err
}
