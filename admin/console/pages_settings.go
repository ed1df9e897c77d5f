package console

// settingsPages are those of settings: sources, tokens, sessions, messages.
func (c *Console) settingsPages() []page { return nil }

// settingsActions are what forms do there.
func (c *Console) settingsActions() []action { return nil }
