package admin

// signInRoutes are those about sessions and API tokens.
func (a *API) signInRoutes() []route { return nil }
