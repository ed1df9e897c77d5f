package admin

// groupRoutes are those about groups at targets.
func (a *API) groupRoutes() []route { return nil }
