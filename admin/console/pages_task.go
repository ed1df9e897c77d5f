package console

// taskPages are those of tasks.
func (c *Console) taskPages() []page { return nil }

// taskActions are what forms do there.
func (c *Console) taskActions() []action { return nil }
