package main

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/proxy"
)

// newProxy makes the way through to the targets.
func (i *instance) newProxy() *proxy.Proxy {
	return &proxy.Proxy{Store: i.store, Log: i.log, Now: i.store.Now, Remote: i.worker.Remote, Authenticate: i.proxyCaller,
		Base:    func(r *http.Request) string { return strings.TrimSuffix(i.scimBase(r), scimPath) },
		Metrics: i.proxied}
}

// proxyCaller says who asks at a target: the holder of a token made for it, or an
// operator whose role lets them.
func (i *instance) proxyCaller(r *http.Request, target string) (proxy.Caller, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if secret = strings.TrimSpace(secret); strings.EqualFold(scheme, "Bearer") && secret != "" {
		sum := sha256.Sum256([]byte(secret))
		k, ok, err := i.store.TokenByHash(r.Context(), sum[:])
		switch {
		case err != nil:
			return proxy.Caller{}, err
		case ok && strings.HasPrefix(k.Source, store.TargetTokens):
			return i.targetCaller(k, sum[:], target)
		}
	}
	who, err := i.admins.Caller(r)
	if err != nil {
		return proxy.Caller{}, err
	}
	why, err := i.hub.Gone(r.Context(), hub.Who{Name: who.Name, Person: who.Person})
	if err != nil {
		return proxy.Caller{}, err
	}
	if why != "" {
		return proxy.Caller{}, model.Fail(model.Forbidden, why, nil)
	}
	if who.Targets != nil && !slices.Contains(who.Targets, target) {
		return proxy.Caller{}, model.Fail(model.Forbidden, "the token is for "+strings.Join(who.Targets, ", ")+" alone", nil)
	}
	may := proxy.RightsOf(who.Role)
	if who.Scope != nil && !slices.Contains(who.Scope, "operate") {
		may = slices.DeleteFunc(slices.Clone(may), func(right string) bool { return right != "read" || !slices.Contains(who.Scope, right) })
	}
	if len(may) == 0 {
		return proxy.Caller{}, model.Fail(model.Forbidden, "the role "+who.Role+", or what the token is limited to, may not use the proxy", nil)
	}
	return proxy.Caller{Name: who.Name, May: may}, nil
}

// targetCaller is the holder of a token for one target.
func (i *instance) targetCaller(k store.Token, sum []byte, target string) (proxy.Caller, error) {
	now := i.store.Now()
	name := strings.TrimPrefix(k.Source, store.TargetTokens)
	previous := slices.Equal(k.Previous, sum) // of hashes that were found by the whole of them
	switch {
	case k.RevokedAt != nil, previous && (k.PreviousUntil == nil || !now.Before(*k.PreviousUntil)):
		return proxy.Caller{}, model.Fail(model.Unauthorized, "the token was revoked", nil)
	case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
		return proxy.Caller{}, model.Fail(model.Unauthorized, "the token "+k.Name+" has expired", nil)
	case name != target:
		return proxy.Caller{}, model.Fail(model.Forbidden, "the token is for target "+name+" alone", nil)
	}
	return proxy.Caller{Name: "proxy:" + name + "/" + k.Name, May: k.May}, nil
}
