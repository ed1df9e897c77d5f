package admin

// overviewRoutes are those for who looks: what needs somebody, who is where, what would be.
func (a *API) overviewRoutes() []route {
	return []route{
		{"GET", "/overview", rightRead, a.overview, about{sum: "What needs somebody, and how targets and leavers are", out: Overview{}}},
		{"GET", "/progress", rightRead, a.progress, about{sum: "Everything long that is under way", out: page[Work]{}}},
		{"GET", "/search", rightRead, a.search, about{sum: "People by name, number or address, and targets, roles and groups by name", out: SearchAnswer{}, query: []string{"q", "cursor", "limit"}}},
		{"GET", "/identities/{person}/view", rightRead, a.personView, about{sum: "Everything that is known of one person", out: PersonView{}}},
		{"POST", "/identities/{person}/what-if", rightRead, a.whatIf, about{sum: "What would follow from other facts or a later date; nothing is written", in: WhatIfAsk{}, out: WhatIfAnswer{}, reads: true}},
	}
}
