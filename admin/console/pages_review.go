package console

// reviewPages are those of access reviews.
func (c *Console) reviewPages() []page { return nil }

// reviewActions are what forms do there.
func (c *Console) reviewActions() []action { return nil }
