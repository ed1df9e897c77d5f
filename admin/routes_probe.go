package admin

// probeRoutes are those about what applications can do.
func (a *API) probeRoutes() []route {
	return []route{
		{"POST", "/targets/{target}/probe", rightOperate, a.probeTarget, about{}},
		{"POST", "/probe", rightOperate, a.probeURL, about{}},
	}
}
