package admin

// targetRoutes are those about what waits at a target, about all groups, and about what
// callers hold themselves.
func (a *API) targetRoutes() []route {
	return []route{
		{"GET", "/targets/{target}/held", rightRead, a.heldPage, about{sum: "The changes that wait at a target for a person, page by page, with the digest of them all", out: HeldPage{}, query: []string{"cursor", "limit"}}},
		{"GET", "/groups", rightRead, a.allGroups, about{sum: "The groups of all targets, or of one, and what grants them", out: page[GroupAt]{}, query: []string{"target", "q", "state", "cursor", "limit"}}},
		{"GET", "/me/access", rightSeeOwn, a.ownAccess, about{sum: "What the caller holds, and why", out: OwnAccess{}}},
	}
}
