package admin

// lifecycleRoutes are those about erasure and held leavers.
func (a *API) lifecycleRoutes() []route {
	return []route{
		{"POST", "/sources/{source}/release", approvers, a.releaseSource},
		{"POST", "/identities/{person}/erase", admins, a.eraseIdentity},
	}
}
