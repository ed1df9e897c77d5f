package admin

// taskRoutes are those about tasks for people.
func (a *API) taskRoutes() []route { return nil }
