package admin

import "slices"

// RolePerson is the role of tokens that act for a person and are no operator's: they
// ask, answer what that person is asked, and see nothing else.
const RolePerson = "person"

var (
	askers     = []string{RoleAdmin, RoleOperator, RoleApprover, RolePerson}
	askReaders = append(slices.Clone(readers), RolePerson)
)

// requestRoutes are those about requests, approvals and deputies.
func (a *API) requestRoutes() []route {
	return []route{
		{"POST", "/requests", askers, a.askRequest},
		{"GET", "/requests", askReaders, a.requests},
		{"GET", "/requests/{request}", askReaders, a.request},
		{"POST", "/requests/{request}/approve", askers, a.approveRequest},
		{"POST", "/requests/{request}/deny", askers, a.denyRequest},
		{"POST", "/requests/{request}/withdraw", askers, a.withdrawRequest},
		{"POST", "/requests/{request}/revoke", askers, a.revokeRequest},
		{"POST", "/deputies", askers, a.addDeputy},
		{"GET", "/deputies", askReaders, a.deputies},
		{"DELETE", "/deputies/{deputy}", askers, a.endDeputy},
		{"POST", "/deputies/{deputy}/end", askers, a.endDeputy},
	}
}
