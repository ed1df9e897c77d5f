package admin

// healthRoutes are those about pace, quarantine and credentials of targets.
func (a *API) healthRoutes() []route {
	return []route{
		{"POST", "/targets/{target}/rotate", rightOperate, a.rotateTarget, about{sum: "Take the next credential into use as soon as it works", out: TargetView{}}},
	}
}
