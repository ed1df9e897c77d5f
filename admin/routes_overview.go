package admin

// overviewRoutes are those that show much at a glance: the overview, search, what would be.
func (a *API) overviewRoutes() []route { return nil }
