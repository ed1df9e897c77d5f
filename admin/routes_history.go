package admin

// historyRoutes are those about the past: explanations, the audit trail.
func (a *API) historyRoutes() []route {
	return []route{
		{"POST", "/audit/verify", readers, a.verifyAudit},
		{"GET", "/audit/checkpoint", readers, a.lastCheckpoint},
		{"GET", "/audit/export", readers, a.exportAudit},
	}
}
