package console

// policyPages are those of roles and the policy.
func (c *Console) policyPages() []page {
	return []page{
		{"/roles", "roles", showRoles},
		{"/roles/{role}", "role", showRole},
		{"/policy", "versions", showVersions},
		{"/policy/change", "change", showChange},
		{"/policy/difference", "difference", showDifference},
		{"/policy/{version:[0-9]+}", "version", showVersion},
		{"/conflicts", "conflicts", showConflicts},
	}
}

// policyActions are what forms do there.
func (c *Console) policyActions() []action {
	return []action{
		{"/policy/plan", planChange},
		{"/policy/apply", applyChange},
		{"/policy/roll-back", rollBack},
		{"/exceptions", addException},
		{"/exceptions/{exception}/revoke", revokeException},
	}
}
