package admin

// leaverRoutes are those about leavers and how far they are, and about drills.
func (a *API) leaverRoutes() []route {
	return []route{
		{"GET", "/leavers", rightRead, a.leavers, about{sum: "Who left, and how far every target is", out: page[LeaverView]{}, query: paged("since", "open", "kind")}},
		{"GET", "/leavers/summary", rightRead, a.leaverSummary, about{sum: "How long it took from the fact to access verified gone", out: LeaverSummary{}, query: []string{"since"}}},
		{"GET", "/leavers/{person}", rightRead, a.leaver, about{sum: "The newest run of a leaver, or the run of this id", out: LeaverView{}, query: []string{"kind"}}},
		{"POST", "/identities/{person}/drill", rightOperate, a.startDrill, about{sum: "Begin a drill with a test person", out: LeaverView{}}},
	}
}
