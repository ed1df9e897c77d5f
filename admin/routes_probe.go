package admin

import "github.com/scimhub/scimhub/fanout"

// probeRoutes are those about what applications can do.
func (a *API) probeRoutes() []route {
	return []route{
		{"POST", "/targets/{target}/probe", rightOperate, a.probeTarget, about{sum: "Ask a target what it can do", in: ProbeRequest{}, out: fanout.ProbeReport{}}},
		{"POST", "/probe", rightOperate, a.probeURL, about{sum: "Ask any application what it can do", in: ProbeRequest{}, out: fanout.ProbeReport{}}},
	}
}
