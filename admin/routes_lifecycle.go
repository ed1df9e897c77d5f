package admin

import "github.com/scimhub/scimhub/hub"

// lifecycleRoutes are those about erasure and held leavers.
func (a *API) lifecycleRoutes() []route {
	return []route{
		{"POST", "/sources/{source}/release", rightDecide, a.releaseSource, about{sum: "Let leavers go whom the guard of a source holds", in: ReleaseLeavers{}, out: hub.Released{}}},
		{"POST", "/identities/{person}/erase", rightAdminister, a.eraseIdentity, about{sum: "Erase the personal data of somebody who has left", in: EraseRequest{}, out: hub.Erased{}}},
	}
}
