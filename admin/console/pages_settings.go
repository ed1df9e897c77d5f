package console

// settingsPages are those of settings: sources, tokens, sessions, messages.
func (c *Console) settingsPages() []page {
	return []page{
		{"/settings", "settings", showSources},
		{"/settings/sources/{source}", "source", showSource},
		{"/settings/tokens", "tokens", showTokens},
		{"/settings/sessions", "sessions", showSessions},
		{"/settings/deliveries", "deliveries", showDeliveries},
		{"/settings/about", "about", showAbout},
	}
}

// settingsActions are what forms do there.
func (c *Console) settingsActions() []action {
	return []action{
		{"/settings/sources/{source}/release", releaseLeavers},
		{"/settings/tokens", createToken},
		{"/settings/tokens/{token}/rotate", rotateToken},
		{"/settings/tokens/{token}/revoke", revokeToken},
		{"/settings/sessions/{session}/end", endSession},
		{"/settings/sign-in-links", createLink},
		{"/settings/receivers/{receiver}/test", testReceiver},
		{"/settings/deliveries/{delivery}/retry", retryDelivery},
	}
}
