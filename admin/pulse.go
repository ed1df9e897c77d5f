package admin

import "net/http"

// Pulse says how far the hub has come; while it stays the same nothing has happened.
type Pulse struct {
	Seq int64 `json:"seq"`
}

func (a *API) pulse(r *http.Request, _ Caller) (any, error) {
	n, err := a.Hub.Store.Pulse(r.Context())
	return Pulse{n}, err
}
