package admin

// probeRoutes are those about what applications can do.
func (a *API) probeRoutes() []route {
	return []route{
		{"POST", "/targets/{target}/probe", operators, a.probeTarget},
		{"POST", "/probe", operators, a.probeURL},
	}
}
