package admin

// linkRoutes are those about cases, linking and unlinking of resources.
func (a *API) linkRoutes() []route { return nil }
