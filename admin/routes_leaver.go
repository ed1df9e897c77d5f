package admin

// leaverRoutes are those about leavers and how far they are, and about drills.
func (a *API) leaverRoutes() []route {
	return []route{
		{"GET", "/leavers", readers, a.leavers},
		{"GET", "/leavers/summary", readers, a.leaverSummary},
		{"GET", "/leavers/{person}", readers, a.leaver},
		{"POST", "/identities/{person}/drill", operators, a.startDrill},
	}
}
