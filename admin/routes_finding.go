package admin

// findingRoutes are those about what is wrong with the facts.
func (a *API) findingRoutes() []route {
	return []route{
		{"GET", "/findings", rightRead, a.findings, about{sum: "What is wrong with the facts, and who can put it right", out: page[FindingView]{}, query: paged("kind", "source", "for")}},
		{"GET", "/findings/summary", rightRead, a.findingSummary, about{sum: "How many findings of each kind each source has to put right", out: page[FindingTotal]{}}},
	}
}
