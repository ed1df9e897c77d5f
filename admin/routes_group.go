package admin

// groupRoutes are those about groups at targets.
func (a *API) groupRoutes() []route {
	return []route{{"GET", "/targets/{target}/groups", rightRead, a.targetGroups, about{}}}
}
