package admin

// runRoutes are those about runs of one person.
func (a *API) runRoutes() []route {
	return []route{
		{"POST", "/identities/{person}/run", rightOperate, a.runPerson, about{sum: "Work on one person now, step by step", in: RunRequest{}, out: RunAnswer{}}},
	}
}
