package admin

import (
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

// requestRoutes are those about requests, approvals and deputies.
func (a *API) requestRoutes() []route {
	return []route{
		{"POST", "/requests", rightAsk, a.askRequest, about{sum: "Ask for a role", in: RequestAsk{}, out: hub.RequestView{}}},
		{"GET", "/requests", rightSeeOwn, a.requests, about{sum: "Requests for roles, the newest first", out: page[hub.RequestView]{}, query: paged("for", "state", "role", "mine", "waiting")}},
		{"GET", "/requests/{request}", rightSeeOwn, a.request, about{sum: "One request", out: hub.RequestView{}}},
		{"POST", "/requests/{request}/approve", rightAsk, a.approveRequest, about{sum: "Say yes to a request", in: RequestAnswer{}, out: hub.RequestView{}}},
		{"POST", "/requests/{request}/deny", rightAsk, a.denyRequest, about{sum: "Say no to a request", in: RequestAnswer{}, out: hub.RequestView{}}},
		{"POST", "/requests/{request}/withdraw", rightAsk, a.withdrawRequest, about{sum: "Take one's own request back", in: RequestAnswer{}, out: hub.RequestView{}}},
		{"POST", "/requests/{request}/revoke", rightAsk, a.revokeRequest, about{sum: "Take back what was approved", in: RequestAnswer{}, out: hub.RequestView{}}},
		{"POST", "/deputies", rightAsk, a.addDeputy, about{sum: "Name a deputy", in: DeputyAsk{}, out: store.Deputy{}}},
		{"GET", "/deputies", rightSeeOwn, a.deputies, about{sum: "Deputies in force and to come", out: page[DeputyView]{}, query: paged("for")}},
		{"DELETE", "/deputies/{deputy}", rightAsk, a.endDeputy, about{sum: "End a deputy", out: DeputyEnded{}}},
		{"POST", "/deputies/{deputy}/end", rightAsk, a.endDeputy, about{sum: "End a deputy", out: DeputyEnded{}}},
	}
}
