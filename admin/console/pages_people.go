package console

// peoplePages are those of people.
func (c *Console) peoplePages() []page { return nil }

// peopleActions are what forms do there.
func (c *Console) peopleActions() []action { return nil }
