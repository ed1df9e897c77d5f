package admin

// linkRoutes are those about cases, linking and unlinking of resources.
func (a *API) linkRoutes() []route {
	return []route{
		{"GET", "/cases", readers, a.cases},
		{"POST", "/identities/{person}/link", operators, a.link},
		{"POST", "/identities/{person}/unlink", operators, a.unlink},
	}
}
