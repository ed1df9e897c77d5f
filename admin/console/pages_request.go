package console

// requestPages are those of requests and approvals.
func (c *Console) requestPages() []page { return nil }

// requestActions are what forms do there.
func (c *Console) requestActions() []action { return nil }
