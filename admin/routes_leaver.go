package admin

// leaverRoutes are those about leavers and how far they are, and about drills.
func (a *API) leaverRoutes() []route {
	return []route{
		{"GET", "/leavers", rightRead, a.leavers, about{}},
		{"GET", "/leavers/summary", rightRead, a.leaverSummary, about{}},
		{"GET", "/leavers/{person}", rightRead, a.leaver, about{}},
		{"POST", "/identities/{person}/drill", rightOperate, a.startDrill, about{}},
	}
}
