package admin

// requestRoutes are those about requests, approvals and deputies.
func (a *API) requestRoutes() []route {
	return []route{
		{"POST", "/requests", rightAsk, a.askRequest, about{}},
		{"GET", "/requests", rightSeeOwn, a.requests, about{}},
		{"GET", "/requests/{request}", rightSeeOwn, a.request, about{}},
		{"POST", "/requests/{request}/approve", rightAsk, a.approveRequest, about{}},
		{"POST", "/requests/{request}/deny", rightAsk, a.denyRequest, about{}},
		{"POST", "/requests/{request}/withdraw", rightAsk, a.withdrawRequest, about{}},
		{"POST", "/requests/{request}/revoke", rightAsk, a.revokeRequest, about{}},
		{"POST", "/deputies", rightAsk, a.addDeputy, about{}},
		{"GET", "/deputies", rightSeeOwn, a.deputies, about{}},
		{"DELETE", "/deputies/{deputy}", rightAsk, a.endDeputy, about{}},
		{"POST", "/deputies/{deputy}/end", rightAsk, a.endDeputy, about{}},
	}
}
