package admin

// probeRoutes are those about what applications can do.
func (a *API) probeRoutes() []route { return nil }
