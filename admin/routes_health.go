package admin

// healthRoutes are those about pace, quarantine and credentials of targets.
func (a *API) healthRoutes() []route {
	return []route{
		{"POST", "/targets/{target}/rotate", operators, a.rotateTarget},
	}
}
