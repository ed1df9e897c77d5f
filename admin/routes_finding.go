package admin

// findingRoutes are those about what is wrong with the facts.
func (a *API) findingRoutes() []route {
	return []route{
		{"GET", "/findings", readers, a.findings},
		{"GET", "/findings/summary", readers, a.findingSummary},
	}
}
