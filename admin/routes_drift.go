package admin

// driftRoutes are those about what sweeps found.
func (a *API) driftRoutes() []route {
	return []route{
		{"GET", "/drift", rightRead, a.driftOverview, about{}},
	}
}
