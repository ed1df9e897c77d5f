package admin

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// heldShown limits how many held leavers a view lists; the count is of all.
const heldShown = 1000

// HeldLeavers are those who left at a source beyond its guard and wait for a person:
// either the source is wrong, or all of them are released by the digest.
type HeldLeavers struct {
	Count  int                `json:"count"`
	Digest string             `json:"digest"`
	People []store.HeldLeaver `json:"people"` // the first thousand
}

func (a *API) heldLeavers(ctx context.Context, source string) (*HeldLeavers, error) {
	held, err := a.Hub.Store.HeldLeavers(ctx, source)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	return &HeldLeavers{len(held), hub.LeaversDigest(source, held), held[:min(len(held), heldShown)]}, nil
}

// ReleaseLeavers names whom to let go of: all held by their digest, or some people.
type ReleaseLeavers struct {
	Digest string   `json:"digest,omitempty"`
	People []string `json:"people,omitempty"` // ids or user names
}

// releaseSource lets held leavers of a source go.
func (a *API) releaseSource(r *http.Request, by Caller) (any, error) {
	name := mux.Vars(r)["source"]
	if _, ok := a.Hub.Snapshot().Doc.Source(name); !ok {
		return nil, model.Fail(model.NotFound, "there is no source "+name, nil)
	}
	var req ReleaseLeavers
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	if err := a.Hub.AboutOthers(r.Context(), by.who(), req.People...); err != nil {
		return nil, err
	}
	return a.Hub.ReleaseLeavers(r.Context(), hub.Actor{Name: by.Name}, name, req.Digest, req.People)
}

// EraseRequest says how somebody is to be erased.
type EraseRequest struct {
	// Force removes the hub's copies of what sources still say of the person, too.
	Force bool `json:"force,omitempty"`
}

// eraseIdentity erases the personal data of somebody who has left.
func (a *API) eraseIdentity(r *http.Request, by Caller) (any, error) {
	var req EraseRequest
	if r.ContentLength != 0 {
		if err := readJSON(r, &req); err != nil {
			return nil, err
		}
	}
	return a.Hub.Erase(r.Context(), hub.Actor{Name: by.Name}, mux.Vars(r)["person"], req.Force)
}
