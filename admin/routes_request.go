package admin

// requestRoutes are those about requests, approvals and deputies.
func (a *API) requestRoutes() []route { return nil }
