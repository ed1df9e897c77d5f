package admin

// importRoutes are those about imports.
func (a *API) importRoutes() []route { return nil }
