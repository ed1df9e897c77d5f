package admin

// groupRoutes are those about groups at targets.
func (a *API) groupRoutes() []route {
	return append([]route{{"GET", "/targets/{target}/groups", rightRead, a.targetGroups, about{sum: "The groups at a target", out: page[GroupView]{}, query: paged()}}}, a.targetRoutes()...)
}
