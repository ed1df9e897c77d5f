package fanout

import (
	"context"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// inquiry is the search for one account: what was asked, and how it was answered.
type inquiry struct {
	asked  map[string]bool // attribute and value
	silent []string        // attributes by which a filter found nobody, in order
	listed bool            // a complete list has been searched, too
}

// lookup goes through the target's match attributes in order; the first that
// finds an account decides. With indexed the listing of this round answers where
// there is one. Nothing found is no proof that nothing is there: see absence.
func (r *runner) lookup(ctx context.Context, j *job, indexed bool) (RemoteUser, bool, *inquiry, error) {
	q := &inquiry{asked: map[string]bool{}, listed: indexed}
	for _, like := range candidates(j.row) {
		u, found, err := r.lookupLike(ctx, r.profile.Canonical(*like), indexed, q)
		if err != nil || found {
			return u, found, q, err
		}
	}
	return RemoteUser{}, false, q, nil
}

// candidates are what the account may look like at the target: what was sent when
// the outcome of its creation was lost, and what is wanted now. What was sent comes
// first: by its present name somebody else may be found.
func candidates(row model.AccountRow) []*model.Account {
	var out []*model.Account
	if row.Owned == model.OwnedCreating || row.Desired == nil {
		for i := range row.Sent {
			out = append(out, &row.Sent[len(row.Sent)-1-i]) // the newest first
		}
		if row.Observed != nil {
			out = append(out, row.Observed)
		}
	}
	if row.Desired != nil {
		out = append(out, row.Desired)
	}
	return out
}

// lookupLike asks for each value once.
func (r *runner) lookupLike(ctx context.Context, like model.Account, indexed bool, q *inquiry) (RemoteUser, bool, error) {
	for _, attr := range r.match() {
		value := matchValue(like, attr)
		if value == "" || q.asked[attr+"\x00"+value] {
			continue
		}
		q.asked[attr+"\x00"+value] = true
		if indexed {
			if id, known := r.index.find(attr, value); known {
				if id == "" {
					continue
				}
				if u, err := r.get(ctx, id); err == nil && hasValue(u, attr, value) {
					traceOf(ctx).looked(attr, value, u, true, nil)
					return u, true, nil
				}
			}
		}
		u, found, err := r.filter(ctx, "lookup", attr, value)
		traceOf(ctx).looked(attr, value, u, found, err)
		if err != nil || found {
			return u, found, err
		}
		q.listed = false
		q.silent = append(q.silent, attr)
	}
	return RemoteUser{}, false, nil
}

// filter puts one filter to the target.
func (r *runner) filter(ctx context.Context, verb, attr, value string) (u RemoteUser, found bool, err error) {
	err = r.timed(verb, func() (err error) {
		u, found, err = r.conn.Lookup(ctx, attr, value)
		return err
	})
	return u, found, err
}

func (r *runner) match() []string { return matchAttributes(r.target, r.profile) }

// matchAttributes lists the attributes by which accounts are recognised, in order: those
// of the configuration, or else of the profile, as far as the application can search by
// them and they identify an account there. userName is what remains where none does.
func matchAttributes(t model.Target, p Profile) []string {
	list := t.Match
	if len(list) == 0 {
		list = []string{"externalId", "userName"}
		if len(p.MatchKeys) > 0 && !names(p.MatchKeys, "*") {
			list = p.MatchKeys
		}
	}
	var out []string
	for _, attr := range list {
		switch {
		case !p.Filterable(attr), len(p.MatchKeys) > 0 && !names(p.MatchKeys, attr):
		case strings.EqualFold(attr, "externalId") && !p.StoresExternalID:
		default:
			out = append(out, attr)
		}
	}
	if len(out) == 0 {
		out = []string{"userName"}
	}
	return out
}

// matchValue is what an account would be searched by; empty where it has none. Of a
// list it is the primary element's value, or else the first one's.
func matchValue(a model.Account, attr string) string {
	if strings.EqualFold(attr, "userName") {
		return a.UserName
	}
	p, err := parseAttr(attr)
	if err != nil {
		return ""
	}
	return singleText(p.get(document(a)))
}

// singleText is the one text that stands for a value.
func singleText(v any) string {
	switch n := v.(type) {
	case []any:
		text := ""
		for _, e := range n {
			m, _ := e.(map[string]any)
			if text == "" || m["primary"] == true {
				text = singleText(e)
			}
		}
		return text
	case map[string]any:
		inner, _ := field(n, "value")
		return scalarText(plain(inner))
	}
	return scalarText(plain(v))
}

func hasValue(u RemoteUser, attr, value string) bool {
	p, err := parseAttr(attr)
	return err == nil && carries(p.get(u.Attrs), value, caseExact(attr))
}
