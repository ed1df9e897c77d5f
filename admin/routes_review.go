package admin

// reviewRoutes are those about access reviews.
func (a *API) reviewRoutes() []route { return nil }
