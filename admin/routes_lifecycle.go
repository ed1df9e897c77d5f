package admin

// lifecycleRoutes are those about erasure and held leavers.
func (a *API) lifecycleRoutes() []route { return nil }
