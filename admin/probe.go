package admin

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ProbeRequest asks for a probe. URL and Token are of an application that is no
// target; for a target they are left out.
type ProbeRequest struct {
	URL      string `json:"url,omitempty"`
	Token    string `json:"token,omitempty"`
	ReadOnly bool   `json:"read_only,omitempty"`
	Domain   string `json:"domain,omitempty"`
}

// probeTarget probes a configured target with its own credential.
func (a *API) probeTarget(r *http.Request, by Caller) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	if t.Manual != nil {
		return nil, model.Fail(model.Invalid, "target "+t.Name+" is looked after by hand: there is nothing to probe", nil)
	}
	var ask ProbeRequest
	if err := readJSON(r, &ask); err != nil {
		return nil, err
	}
	if ask.URL != "" || ask.Token != "" {
		return nil, model.Fail(model.Invalid, "a target is probed at its own URL with its own credential; leave url and token out", nil)
	}
	if !ask.ReadOnly && t.Mode == model.ModeObserve {
		return nil, model.Fail(model.Forbidden, "target "+t.Name+" is in mode observe: nothing may be written there; probe it with --read-only", nil)
	}
	return a.probed(r.Context(), by, "target/"+t.Name, t, ask, false)
}

// probeURL probes any application. Where its URL leads is limited by the
// configuration's outbound.
func (a *API) probeURL(r *http.Request, by Caller) (any, error) {
	var ask ProbeRequest
	if err := readJSON(r, &ask); err != nil {
		return nil, err
	}
	u, err := url.Parse(ask.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return nil, model.Fail(model.Invalid, "url must be the http or https base URL of a SCIM service, without credentials in it", err)
	}
	if strings.HasPrefix(ask.Token, "${") { // a reference would be resolved here and sent there
		return nil, model.Fail(model.Invalid, "token must be the token itself, no reference to one", nil)
	}
	t := model.Target{Name: "probe", URL: ask.URL}
	if ask.Token != "" {
		t.Auth.Bearer = model.NewSecret(ask.Token)
	}
	return a.probed(r.Context(), by, "probe/"+u.Host, t, ask, true)
}

func (a *API) probed(ctx context.Context, by Caller, object string, t model.Target, ask ProbeRequest, guarded bool) (any, error) {
	if a.Probe == nil {
		return nil, model.Fail(model.Unavailable, "this process does not talk to targets", nil)
	}
	action := "target.probe"
	if ask.ReadOnly {
		action = "target.probe-read"
	}
	err := a.Hub.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.Audit(store.AuditEntry{Actor: by.Name, Action: action, Object: object})
	})
	if err != nil {
		return nil, err
	}
	return a.Probe(ctx, t, ask, guarded)
}

// Prober probes an application; guarded says that where it leads is limited.
type Prober func(ctx context.Context, t model.Target, ask ProbeRequest, guarded bool) (fanout.ProbeReport, error)
