package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// defaultOverlap is how long the secret before a rotation stays valid.
const defaultOverlap = 24 * time.Hour

// TokenRequest asks for a token, or for a new secret of one. Expires is a date, an
// RFC 3339 time or a duration from now; empty: never, or as long as before.
type TokenRequest struct {
	Source  string   `json:"source,omitempty"`
	Target  string   `json:"target,omitempty"` // in place of a source: a token of the proxy
	May     []string `json:"may,omitempty"`    // of a token of the proxy: read, write, remove, managed; default read
	Name    string   `json:"name,omitempty"`
	Expires string   `json:"expires,omitempty"`
	Overlap *string  `json:"overlap,omitempty"` // of a rotation; nil: a day

	Role    string   `json:"role,omitempty"`    // in place of a source: a token of the API, of this role
	Scope   []string `json:"scope,omitempty"`   // of a token of the API: the rights it is limited to; none: all that the role has
	Targets []string `json:"targets,omitempty"` // of a token of the API: the only targets it may call; none: no limit
	Person  string   `json:"person,omitempty"`  // of a token of the API: whom it acts for, userName or id
}

// TokenView is a token as operators see it. Secret is there only in the answer that
// made it, and nowhere else ever again.
type TokenView struct {
	ID            string     `json:"id"`
	Source        string     `json:"source,omitempty"`
	Target        string     `json:"target,omitempty"` // of a token of the proxy
	May           []string   `json:"may,omitempty"`
	Role          string     `json:"role,omitempty"`    // of a token of the API, as are the next three
	Scope         []string   `json:"scope,omitempty"`   // rights it is limited to; none: all that the role has
	Targets       []string   `json:"targets,omitempty"` // the only ones it may call; none: no limit
	Person        string     `json:"person,omitempty"`  // id of whom it acts for
	Name          string     `json:"name"`
	State         string     `json:"state"` // active, rotating (two secrets are valid), expired, revoked, no-source
	Created       time.Time  `json:"created"`
	CreatedBy     string     `json:"created_by"`
	Issued        time.Time  `json:"issued"` // when the present secret was made
	Expires       *time.Time `json:"expires,omitempty"`
	PreviousUntil *time.Time `json:"previous_until,omitempty"` // when the secret before ends
	Revoked       *time.Time `json:"revoked,omitempty"`
	LastUsed      string     `json:"last_used,omitempty"` // the day, UTC
	Secret        string     `json:"token,omitempty"`
	Note          string     `json:"note,omitempty"` // that the secret was told before
}

// concealed is the view for whoever keeps it, or asks a second time.
func (v TokenView) concealed() any {
	if v.Secret != "" {
		v.Secret, v.Note = "", "the secret was told once, in the first answer to this request; rotate the token if it did not arrive"
	}
	return v
}

func (a *API) tokenView(k store.Token) TokenView {
	v := TokenView{ID: k.ID, Source: k.Source, Name: k.Name, Created: k.CreatedAt, CreatedBy: k.CreatedBy, Issued: k.IssuedAt,
		Expires: k.ExpiresAt, Revoked: k.RevokedAt, State: "active"}
	if k.LastUsed != nil {
		v.LastUsed = k.LastUsed.Format(time.DateOnly)
	}
	now := a.now()
	if k.PreviousUntil != nil && now.Before(*k.PreviousUntil) {
		v.PreviousUntil = k.PreviousUntil
	}
	_, configured := a.Hub.Snapshot().Doc.Source(k.Source)
	if name, isTarget := strings.CutPrefix(k.Source, store.TargetTokens); isTarget {
		v.Source, v.Target, v.May = "", name, k.May
		_, configured = a.Hub.Snapshot().Doc.Target(name)
	}
	if k.Source == store.AdminTokens {
		v.Source, v.Role, v.Scope, v.Targets, v.Person = "", k.Role, k.Scope, k.Targets, k.Person
		configured = true
	}
	switch {
	case k.RevokedAt != nil:
		v.State = "revoked"
	case !configured:
		v.State = "no-source"
	case v.PreviousUntil != nil:
		v.State = "rotating"
	case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
		v.State = "expired"
	}
	return v
}

func (a *API) listTokens(r *http.Request, _ Caller) (any, error) {
	tokens, err := a.Hub.Store.Tokens(r.Context(), r.URL.Query().Get("source"))
	if err != nil {
		return nil, err
	}
	tokens, next, err := pageOf(r, tokens, func(k store.Token) string { return k.ID })
	if err != nil {
		return nil, err
	}
	views := make([]TokenView, len(tokens))
	for i, k := range tokens {
		views[i] = a.tokenView(k)
	}
	return list(views, next), nil
}

func (a *API) createToken(r *http.Request, by Caller) (any, error) {
	var in TokenRequest
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	expires, err := a.moment(in.Expires)
	if err != nil {
		return nil, err
	}
	if in.Overlap != nil {
		return nil, model.Fail(model.Invalid, "overlap: a new token has no secret before it", nil)
	}
	if err := mayMake(by, in); err != nil {
		return nil, err
	}
	if in.Target != "" && len(in.May) == 0 {
		in.May = []string{ProxyRights()[0]}
	}
	for _, right := range in.May {
		if in.Target == "" || !slices.Contains(ProxyRights(), right) {
			return nil, model.Fail(model.Invalid, fmt.Sprintf("may: %q; a token for a target may %s", right, strings.Join(ProxyRights(), ", ")), nil)
		}
	}
	k, secret, err := a.Hub.CreateToken(r.Context(), hub.Actor{Name: by.Name}, hub.NewToken{Source: in.Source, Target: in.Target, May: in.May, Name: in.Name, Expires: expires,
		Role: in.Role, Scope: nilIfNone(in.Scope), Targets: nilIfNone(in.Targets), Person: in.Person})
	return a.tokenAnswer(r.Context(), k, secret, err)
}

func (a *API) rotateToken(r *http.Request, by Caller) (any, error) {
	var in TokenRequest
	if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) { // nothing at all is fine
		return nil, err
	}
	if in.Source != "" || in.Name != "" || in.Target != "" || len(in.May) > 0 || in.Role != "" || len(in.Scope) > 0 || len(in.Targets) > 0 || in.Person != "" {
		return nil, model.Fail(model.Invalid, "source, name and rights of a token cannot be changed", nil)
	}
	if err := a.mayRotate(r.Context(), by, mux.Vars(r)["token"]); err != nil {
		return nil, err
	}
	expires, err := a.moment(in.Expires)
	if err != nil {
		return nil, err
	}
	overlap := defaultOverlap
	if in.Overlap != nil {
		if overlap, err = config.ParseDuration(*in.Overlap); err != nil {
			return nil, model.Fail(model.Invalid, "overlap "+err.Error(), nil)
		}
	}
	k, secret, err := a.Hub.RotateToken(r.Context(), hub.Actor{Name: by.Name}, mux.Vars(r)["token"], hub.Rotation{Overlap: overlap, Expires: expires})
	return a.tokenAnswer(r.Context(), k, secret, err)
}

func (a *API) revokeToken(r *http.Request, by Caller) (any, error) {
	k, err := a.Hub.RevokeToken(r.Context(), hub.Actor{Name: by.Name}, mux.Vars(r)["token"])
	return a.tokenAnswer(r.Context(), k, "", err)
}

// tokenAnswer puts a change in force in this process before it is told; the other
// replicas follow within a second. The change is stored already: where it cannot be
// put in force now it will be later, so that the secret is told all the same.
func (a *API) tokenAnswer(ctx context.Context, k store.Token, secret string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if a.TokensChanged != nil {
		if err := a.TokensChanged(ctx); err != nil {
			a.Log.WarnContext(ctx, "a changed token is not in force here yet", "error", err)
		}
	}
	v := a.tokenView(k)
	v.Secret = secret
	return v, nil
}

// moment reads a date, a time or a duration from now.
func (a *API) moment(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if t, err := config.ParseDate(text); err == nil {
		return &t, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil || d <= 0 {
		return nil, model.Fail(model.Invalid, "expires: write 2027-06-30, 2027-06-30T12:00:00Z or a duration such as 90d", err)
	}
	t := a.now().Add(d)
	return &t, nil
}

// ProxyRights are what a token for a target may be allowed, the first by default.
func ProxyRights() []string { return []string{"read", "write", "remove", "managed"} }
