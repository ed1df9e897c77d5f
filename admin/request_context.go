package admin

import (
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// RequestContext is what somebody needs to see to answer a request: who would get what,
// who else has it, and what would be wrong with it.
type RequestContext struct {
	Request    hub.RequestView `json:"request"`
	UserName   string          `json:"userName"`
	Name       string          `json:"name,omitempty"` // to show; empty: none is known
	Title      string          `json:"title,omitempty"`
	Department string          `json:"department,omitempty"`
	Stage      model.Stage     `json:"stage"`
	Manager    string          `json:"manager,omitempty"` // user name
	Since      time.Time       `json:"since"`             // the hub knows them
	Role       *RoleView       `json:"role,omitempty"`    // nil: it is not configured any more
	Holds      []string        `json:"holds"`             // roles, now
	// Peers are the reports of the same manager, and PeersHold those of them who hold the
	// role.
	Peers     int `json:"peers"`
	PeersHold int `json:"peers_hold"`
	// Conflicts are roles that they hold and should not hold together with this one.
	Conflicts []string `json:"conflicts"`
	// Limited says that the caller asked for somebody else and is not told who that is:
	// title, department, manager, what they hold, peers and conflicts are left out.
	Limited bool `json:"limited,omitempty"`
}

// requestContext shows what a request is about to whoever may see the request: GET
// /requests/{request}/context.
func (a *API) requestContext(r *http.Request, by Caller) (any, error) {
	shown, err := a.Hub.ShownRequest(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["request"])
	if err != nil {
		return nil, err
	}
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	out := RequestContext{Request: shown, Holds: []string{}, Conflicts: []string{}}
	if !by.seesAll() {
		may, err := a.Hub.MayKnowAbout(r.Context(), by.who(), shown.Request)
		if err != nil {
			return nil, err
		}
		out.Limited = !may
	}
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(shown.Identity)
		if err != nil {
			return err
		}
		out.UserName, out.Stage, out.Since = row.Name, row.Stage, row.CreatedAt
		if out.Limited {
			out.Name, _, _, _ = spoken(row.User)
			return nil
		}
		out.Name, _, out.Title, out.Department = spoken(row.User)
		grants, err := tx.Grants([]string{row.ID})
		if err != nil {
			return err
		}
		out.Holds = out.Holds[:0]
		for _, g := range grants[row.ID] {
			out.Holds = append(out.Holds, g.Role)
		}
		slices.Sort(out.Holds)
		around, err := tx.Around(row.ID, maxGlance)
		if err != nil || around.ManagerID == "" {
			return err
		}
		out.Manager = around.ManagerName
		peers, err := tx.Peers([]string{around.ManagerID}, []string{shown.Role})
		out.Peers, out.PeersHold = peers[store.PeerKey{Manager: around.ManagerID}], peers[store.PeerKey{Manager: around.ManagerID, Role: shown.Role}]
		return err
	})
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(snap.Doc.Roles, func(role config.Role) bool { return role.Name == shown.Role }); i >= 0 {
		v := viewRole(snap.Doc, snap.Doc.Roles[i])
		if !by.seesAll() {
			v.When, v.Deny = "", ""
		}
		out.Role = &v
		for _, other := range v.Conflicts {
			if slices.Contains(out.Holds, other) && !slices.Contains(out.Conflicts, other) {
				out.Conflicts = append(out.Conflicts, other)
			}
		}
	}
	return out, nil
}
