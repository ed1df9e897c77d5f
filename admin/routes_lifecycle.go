package admin

// lifecycleRoutes are those about erasure and held leavers.
func (a *API) lifecycleRoutes() []route {
	return []route{
		{"POST", "/sources/{source}/release", rightDecide, a.releaseSource, about{}},
		{"POST", "/identities/{person}/erase", rightAdminister, a.eraseIdentity, about{}},
	}
}
