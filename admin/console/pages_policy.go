package console

// policyPages are those of roles and the policy.
func (c *Console) policyPages() []page { return nil }

// policyActions are what forms do there.
func (c *Console) policyActions() []action { return nil }
