package admin

// notifyRoutes are those about messages to people and programs.
func (a *API) notifyRoutes() []route { return nil }
