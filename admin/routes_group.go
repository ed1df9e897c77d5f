package admin

// groupRoutes are those about groups at targets.
func (a *API) groupRoutes() []route {
	return append([]route{{"GET", "/targets/{target}/groups", rightRead, a.targetGroups, about{}}}, a.targetRoutes()...)
}
