package console

// auditPages are those of the audit trail and of evidence.
func (c *Console) auditPages() []page {
	return []page{
		{"/audit", "audit", showAudit},
		{"/audit/export", "audit", exportAudit},
		{"/evidence", "evidence", showEvidence},
		{"/evidence/file", "evidence", fileEvidence},
	}
}

// auditActions are what forms do there.
func (c *Console) auditActions() []action {
	return []action{{"/audit/verify", verifyAudit}}
}
