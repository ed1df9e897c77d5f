package console

// requestPages are those of requests and approvals.
func (c *Console) requestPages() []page {
	return []page{
		{"/requests", "requests", showRequests},
		{"/requests/{request}", "request", showRequest},
		{"/approvals", "approvals", showApprovals},
		{"/act", "act", showAct},
		{"/deputies", "deputies", showDeputies},
	}
}

// requestActions are what forms do there.
func (c *Console) requestActions() []action {
	return []action{
		{"/requests", askRequest},
		{"/requests/{request}/approve", approveRequest},
		{"/requests/{request}/deny", denyRequest},
		{"/requests/{request}/withdraw", withdrawRequest},
		{"/requests/{request}/revoke", revokeRequest},
		{"/deputies", addDeputy},
		{"/deputies/{deputy}/end", endDeputy},
	}
}
