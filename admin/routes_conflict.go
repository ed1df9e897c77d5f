package admin

// conflictRoutes are those about conflicts and the exceptions to them.
func (a *API) conflictRoutes() []route { return nil }
