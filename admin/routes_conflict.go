package admin

// conflictRoutes are those about conflicts and the exceptions to them.
func (a *API) conflictRoutes() []route {
	return []route{
		{"GET", "/conflicts", rightRead, a.conflicts, about{sum: "The conflicts of the configuration, and who is in them", out: page[ConflictView]{}, query: paged()}},
		{"GET", "/exceptions", rightRead, a.exceptions, about{sum: "Exceptions to conflicts", out: page[ExceptionView]{}, query: paged("for", "ended")}},
		{"POST", "/exceptions", rightDecide, a.addException, about{sum: "Let somebody hold roles together for a time", in: ExceptionRequest{}, out: ExceptionView{}}},
		{"GET", "/exceptions/{exception}", rightRead, a.exception, about{sum: "One exception", out: ExceptionView{}}},
		{"POST", "/exceptions/{exception}/revoke", rightDecide, a.revokeException, about{sum: "End an exception", in: Revocation{}, out: ExceptionView{}}},
		{"DELETE", "/exceptions/{exception}", rightDecide, a.revokeException, about{sum: "End an exception", in: Revocation{}, out: ExceptionView{}}},
	}
}
