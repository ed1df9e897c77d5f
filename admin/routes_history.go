package admin

// historyRoutes are those about the past: explanations, the audit trail.
func (a *API) historyRoutes() []route { return nil }
