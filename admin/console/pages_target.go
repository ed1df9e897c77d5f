package console

// targetPages are those of targets and of the groups there.
func (c *Console) targetPages() []page { return nil }

// targetActions are what forms do there.
func (c *Console) targetActions() []action { return nil }
