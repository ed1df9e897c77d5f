package admin

// linkRoutes are those about cases, linking and unlinking of resources.
func (a *API) linkRoutes() []route {
	return []route{
		{"GET", "/cases", rightRead, a.cases, about{}},
		{"POST", "/identities/{person}/link", rightOperate, a.link, about{}},
		{"POST", "/identities/{person}/unlink", rightOperate, a.unlink, about{}},
	}
}
