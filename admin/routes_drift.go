package admin

// driftRoutes are those about what sweeps found.
func (a *API) driftRoutes() []route {
	return []route{
		{"GET", "/drift", rightRead, a.driftOverview, about{sum: "The last drift sweep of every target, without its differences", out: page[SweepAnswer]{}, query: paged()}},
	}
}
