package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ReviewItemRef names an item and the version that was looked at.
type ReviewItemRef struct {
	ID      string
	Version int64
}

// ReviewBulk is a decision about many items: those named, or those that wait for the
// caller and that a filter finds.
type ReviewBulk struct {
	Items     []ReviewItemRef
	Filtered  bool
	Person    string // userName or id
	Role      string
	Risk      string
	Recommend string
	Verdict   ReviewVerdict
}

// How many items one call decides about at most, and how many that are left it counts.
const (
	bulkLimit = 200
	bulkCount = 1000
)

// DecideReviews decides about many items at once. Nobody can keep many without having
// looked: Refused where more are to be kept than the configuration lets, where one of
// them is of high risk or recommended to be revoked, and where the caller has not had
// one of them before them. What is wrong with a single item is told, and stops no other.
func (h *Hub) DecideReviews(ctx context.Context, by Who, review string, in ReviewBulk) (out ReviewBulkResult, err error) {
	err = h.decideItems(ctx, by, review, func(d *deciding) error {
		out = ReviewBulkResult{IDs: []string{}}
		refs, left, err := d.meant(in)
		if err != nil {
			return err
		}
		out.Left = left
		if in.Verdict.Verdict != model.VerdictRevoke {
			if err := d.looked(refs); err != nil {
				return err
			}
		}
		slices.SortFunc(refs, func(a, b ReviewItemRef) int { return strings.Compare(a.ID, b.ID) })
		for _, ref := range refs {
			v := in.Verdict
			v.Version = ref.Version
			_, err := d.one(ref.ID, v, true)
			switch model.CodeOf(err) {
			case model.Internal, model.Unavailable:
				if err != nil {
					return err
				}
				out.IDs = append(out.IDs, ref.ID)
			default:
				out.Failed = append(out.Failed, ref.ID+": "+err.Error())
			}
		}
		out.Decided = len(out.IDs)
		return nil
	})
	if err != nil {
		return ReviewBulkResult{}, err
	}
	return out, nil
}

// meant finds the items of a bulk decision, and how many more there are.
func (d *deciding) meant(in ReviewBulk) (refs []ReviewItemRef, left int, err error) {
	if in.Filtered == (len(in.Items) > 0) {
		return nil, 0, model.Fail(model.Invalid, "say either items or filter", nil)
	}
	if !in.Filtered {
		if len(in.Items) > bulkLimit {
			return nil, 0, model.Fail(model.Invalid, fmt.Sprintf("items: at most %d are decided at once", bulkLimit), nil)
		}
		seen := map[string]bool{}
		for _, ref := range in.Items {
			if !seen[ref.ID] {
				refs = append(refs, ref)
			}
			seen[ref.ID] = true
		}
		return refs, 0, nil
	}
	f := store.ReviewItemFilter{Review: d.c.ID, State: string(model.ItemPending), Role: in.Role, Risk: in.Risk, Recommend: in.Recommend, Limit: bulkLimit + bulkCount}
	if !d.me.override || d.me.id != "" {
		f.Asked = allKeys(d.who)
	}
	if in.Person != "" {
		row, err := d.tx.FindIdentity(in.Person)
		if err != nil {
			return nil, 0, err
		}
		f.Identity = row.ID
	}
	items, _, err := d.tx.ReviewItems(f)
	if err != nil {
		return nil, 0, err
	}
	items = slices.DeleteFunc(items, func(i model.ReviewItem) bool { return d.me.id != "" && i.Identity == d.me.id })
	for _, i := range items[:min(len(items), bulkLimit)] {
		refs = append(refs, ReviewItemRef{ID: i.ID, Version: i.Version})
	}
	return refs, len(items) - len(refs), nil
}

// looked refuses to keep many items blindly.
func (d *deciding) looked(refs []ReviewItemRef) error {
	if most := d.snap.Doc.Reviews.BulkKeeps; len(refs) > most {
		return model.Fail(model.Refused, fmt.Sprintf("at most %d are kept at once, these are %d: look at them in smaller parts", most, len(refs)), nil)
	}
	ids := names(refs, func(r ReviewItemRef) string { return r.ID })
	seen, err := d.tx.ReviewItemsSeen(d.me.seenAs(), ids)
	if err != nil {
		return err
	}
	var risky, unseen []string
	for _, id := range ids {
		item, err := d.tx.ReviewItem(id)
		if err != nil {
			continue // told one by one
		}
		what := reviewWhat(item) + " of " + item.Person
		if item.Hints.Risk == "high" || item.Hints.Recommend == model.VerdictRevoke {
			risky = append(risky, what)
		}
		if !seen[id] {
			unseen = append(unseen, what)
		}
	}
	switch {
	case len(risky) > 0:
		return model.Fail(model.Refused, fmt.Sprintf("of high risk, or recommended to be revoked, are %s: decide about each by itself", few(risky)), nil)
	case len(unseen) > 0:
		return model.Fail(model.Refused, fmt.Sprintf("not looked at yet are %s: open them first", few(unseen)), nil)
	}
	return nil
}

// few names some of a list.
func few(list []string) string {
	const shown = 3
	if len(list) <= shown {
		return andList(list)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}

// seenAs is under which name it is noted what somebody has had before them.
func (a asker) seenAs() string {
	if a.id != "" {
		return a.id
	}
	return "credential " + a.credential
}

// SeeReviewItems notes which items the caller has had before them; of a review that
// they may see.
func (h *Hub) SeeReviewItems(ctx context.Context, by Who, seeAll bool, review string, items []string) (n int, err error) {
	if len(items) > bulkLimit {
		return 0, model.Fail(model.Invalid, fmt.Sprintf("items: at most %d at once", bulkLimit), nil)
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		if !seeAll {
			f := store.ReviewItemFilter{Review: review, Limit: bulkLimit}
			if f.Asked, err = answersFor(tx, me.id); err != nil {
				return err
			}
			if items, err = theirs(tx, f, items); err != nil {
				return err
			}
		}
		n, err = tx.SeeReviewItems(review, me.seenAs(), items)
		return err
	})
	return n, err
}

// theirs are those of items that somebody is asked about.
func theirs(tx *store.Tx, f store.ReviewItemFilter, items []string) (out []string, err error) {
	for _, id := range items {
		item, err := tx.ReviewItem(id)
		if err != nil && model.CodeOf(err) != model.NotFound {
			return nil, err
		}
		if err == nil && slices.ContainsFunc(item.Asked, func(k string) bool { return slices.Contains(f.Asked, k) }) {
			out = append(out, id)
		}
	}
	return out, nil
}

// reviewPace is how somebody decides, as it is kept.
type reviewPace struct {
	ReviewPace
	RunFrom time.Time `json:"run_from"`
	Run     int64     `json:"run"`
	since   []model.ReviewDecision
}

// Between decisions that belong to one run lies no more than this.
const paceGap = 10 * time.Second

// A run of so many decisions, each faster than this on average, is flagged.
const (
	paceMany  = 20
	paceQuick = 3 * time.Second
)

func (p *reviewPace) say(d model.ReviewDecision) { p.since = append(p.since, d) }

// take counts one decision.
func (p *reviewPace) take(d model.ReviewDecision) {
	if p.Decided == 0 {
		p.First = d.At
	}
	if p.Decided == 0 || d.At.Sub(p.Last) > paceGap {
		p.Run, p.RunFrom = 0, d.At
	}
	p.Decided++
	p.Run++
	p.Last = d.At
	switch d.Verdict {
	case model.VerdictKeep:
		p.Keep++
	case model.VerdictRevoke:
		p.Revoke++
	case model.VerdictUntil:
		p.Until++
	}
	if d.Bulk {
		p.Bulk++
	}
	if d.Against {
		p.Against++
	}
	if p.Run > p.Fastest {
		took := d.At.Sub(p.RunFrom)
		p.Fastest, p.FastestSeconds = p.Run, took.Seconds()
		if p.Flag = ""; p.Run >= paceMany && took < time.Duration(p.Run)*paceQuick {
			p.Flag = fmt.Sprintf("%d decisions in %s", p.Run, took.Round(time.Second))
		}
	}
}

// savePace counts what was decided.
func (d *deciding) savePace() error {
	who := d.me.seenAs()
	pace := reviewPace{}
	if err := d.tx.ReviewPace(d.c.ID, who, &pace); err != nil {
		return err
	}
	pace.Reviewer, pace.Person = d.me.name, d.me.id
	for _, one := range d.pace.since {
		pace.take(one)
	}
	if err := d.tx.SetReviewPace(d.c.ID, who, pace); err != nil {
		return err
	}
	var all carriedPace
	if err := d.tx.ReviewPace(d.c.ID, "", &all); err != nil {
		return err
	}
	all.LastSaid = d.tx.Now
	return d.tx.SetReviewPace(d.c.ID, "", all)
}
