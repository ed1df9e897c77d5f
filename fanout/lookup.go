package fanout

import (
	"context"
	"strings"

	"github.com/scimhub/scimhub/model"
)

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
