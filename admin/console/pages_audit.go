package console

// auditPages are those of the audit trail and of evidence.
func (c *Console) auditPages() []page { return nil }

// auditActions are what forms do there.
func (c *Console) auditActions() []action { return nil }
