package admin

// conflictRoutes are those about conflicts and the exceptions to them.
func (a *API) conflictRoutes() []route {
	return []route{
		{"GET", "/conflicts", rightRead, a.conflicts, about{}},
		{"GET", "/exceptions", rightRead, a.exceptions, about{}},
		{"POST", "/exceptions", rightDecide, a.addException, about{}},
		{"GET", "/exceptions/{exception}", rightRead, a.exception, about{}},
		{"POST", "/exceptions/{exception}/revoke", rightDecide, a.revokeException, about{}},
		{"DELETE", "/exceptions/{exception}", rightDecide, a.revokeException, about{}},
	}
}
