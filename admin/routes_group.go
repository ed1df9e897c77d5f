package admin

// groupRoutes are those about groups at targets.
func (a *API) groupRoutes() []route {
	return []route{{"GET", "/targets/{target}/groups", readers, a.targetGroups}}
}
