package admin

import (
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

// presentNow is presentOf, with when each role is looked at next.
func (a *API) presentNow(tx *store.Tx, row store.IdentityRow) (momentOf, error) {
	m, err := presentOf(tx, row)
	if err != nil {
		return m, err
	}
	roles := make([]string, len(m.doc.Grants))
	for i, g := range m.doc.Grants {
		roles[i] = g.Role
	}
	m.reviews, err = hub.NextReviews(tx, a.Hub.Snapshot(), row.ID, roles)
	return m, err
}
