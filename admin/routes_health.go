package admin

// healthRoutes are those about pace, quarantine and credentials of targets.
func (a *API) healthRoutes() []route {
	return []route{
		{"POST", "/targets/{target}/rotate", rightOperate, a.rotateTarget, about{}},
	}
}
