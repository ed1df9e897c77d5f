package admin

// findingRoutes are those about what is wrong with the facts.
func (a *API) findingRoutes() []route {
	return []route{
		{"GET", "/findings", rightRead, a.findings, about{}},
		{"GET", "/findings/summary", rightRead, a.findingSummary, about{}},
	}
}
