package admin

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// IdentityView is a person as operators see them.
type IdentityView struct {
	ID         string            `json:"id"`
	UserName   string            `json:"userName"`
	Name       string            `json:"name,omitempty"` // to show; in listings
	Email      string            `json:"email,omitempty"`
	Title      string            `json:"title,omitempty"`
	Department string            `json:"department,omitempty"`
	Stage      model.Stage       `json:"stage"`
	LeftAt     *time.Time        `json:"left_at,omitempty"`
	EndsAt     *time.Time        `json:"ends_at,omitempty"` // first moment of no access
	Held       bool              `json:"held,omitempty"`    // left beyond the guard of the source
	ErasedAt   *time.Time        `json:"erased_at,omitempty"`
	Next       *time.Time        `json:"next_change,omitempty"`
	Findings   []string          `json:"findings,omitempty"`
	User       map[string]any    `json:"user,omitempty"`   // only where one person is shown
	Origin     map[string]string `json:"origin,omitempty"` // attribute -> source
	// Sources are the attributes of which resources say different things, with what all say.
	Sources    map[string][]model.Said `json:"sources,omitempty"`
	MergedInto string                  `json:"merged_into,omitempty"` // who this turned out to be
	Links      []LinkView              `json:"links,omitempty"`       // resources of the sources
	Groups     []model.Membership      `json:"groups,omitempty"`      // groups of the sources
	Roles      []string                `json:"roles,omitempty"`       // held now
	Accounts   []AccountAt             `json:"accounts,omitempty"`    // at all targets
}

// LinkView is one resource that describes a person.
type LinkView struct {
	Source     string    `json:"source"`
	ResourceID string    `json:"resource_id"`
	Modified   time.Time `json:"modified"`
}

// AccountAt is an account with the name of its target.
type AccountAt struct {
	Target string `json:"target"`
	AccountView
}

func viewIdentity(i store.IdentityRow) IdentityView {
	return IdentityView{ID: i.ID, UserName: i.Name, Stage: i.Stage, LeftAt: i.LeftAt, EndsAt: i.EndsAt, Held: i.OverGuard, ErasedAt: i.ErasedAt, Next: i.NextAt, Findings: i.Findings, MergedInto: i.MergedInto}
}

// shown is a merged user without what is never returned to sources either.
func (a *API) shown(user map[string]any) map[string]any {
	out := make(map[string]any, len(user))
	for k, v := range user {
		out[k] = v
		if t, ok := a.Hub.Snapshot().Doc.Registry.Type("User"); ok {
			out[k] = t.Conceal(k, v)
		}
	}
	return out
}

func (a *API) identity(r *http.Request, _ Caller) (any, error) {
	var out IdentityView
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(mux.Vars(r)["person"])
		if err != nil {
			return err
		}
		out = viewIdentity(row)
		out.User, out.Origin = a.shown(row.User), row.Origin
		ids := []string{row.ID}
		facts, err := tx.Facts(ids)
		if err != nil {
			return err
		}
		for _, u := range facts.Users[row.ID] {
			out.Links = append(out.Links, LinkView{u.Source, u.ID, u.Modified})
		}
		out.Sources = a.disagreements(facts.Users[row.ID])
		out.Groups = facts.Groups[row.ID]
		grants, err := tx.Grants(ids)
		if err != nil {
			return err
		}
		for _, g := range grants[row.ID] {
			out.Roles = append(out.Roles, g.Role)
		}
		accounts, err := tx.AccountsOf(ids)
		for _, acc := range accounts {
			out.Accounts = append(out.Accounts, AccountAt{acc.Target, viewAccount(acc)})
		}
		return err
	})
	return out, err
}
