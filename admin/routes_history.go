package admin

// historyRoutes are those about the past: explanations, the audit trail.
func (a *API) historyRoutes() []route {
	return []route{
		{"POST", "/audit/verify", rightRead, a.verifyAudit, about{}},
		{"GET", "/audit/checkpoint", rightRead, a.lastCheckpoint, about{}},
		{"GET", "/audit/export", rightRead, a.exportAudit, about{}},
	}
}
