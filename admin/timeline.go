package admin

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/store"
)

// timeline lists what happened to a person: what sources wrote, where they joined,
// moved and left, what was asked for them and decided.
func (a *API) timeline(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	var id string
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(mux.Vars(r)["person"])
		id = row.ID
		return err
	})
	if err != nil {
		return nil, err
	}
	after, err := cursorOf(r)
	if err != nil {
		return nil, err
	}
	events, next, err := a.Hub.Store.Timeline(r.Context(), id, after, limit)
	return list(events, encodeCursor(next)), err
}
