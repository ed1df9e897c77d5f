package admin

// conflictRoutes are those about conflicts and the exceptions to them.
func (a *API) conflictRoutes() []route {
	return []route{
		{"GET", "/conflicts", readers, a.conflicts},
		{"GET", "/exceptions", readers, a.exceptions},
		{"POST", "/exceptions", approvers, a.addException},
		{"GET", "/exceptions/{exception}", readers, a.exception},
		{"POST", "/exceptions/{exception}/revoke", approvers, a.revokeException},
		{"DELETE", "/exceptions/{exception}", approvers, a.revokeException},
	}
}
