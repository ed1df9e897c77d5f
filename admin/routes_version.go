package admin

// versionRoutes are those about versions of the configuration, replay and policy.
func (a *API) versionRoutes() []route { return nil }
