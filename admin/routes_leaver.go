package admin

// leaverRoutes are those about leavers and how far they are.
func (a *API) leaverRoutes() []route { return nil }
