package admin

import "github.com/scimhub/scimhub/hub"

// linkRoutes are those about cases, linking and unlinking of resources.
func (a *API) linkRoutes() []route {
	return []route{
		{"GET", "/cases", rightRead, a.cases, about{sum: "Who may be somebody known: cases that wait for a person", out: page[CaseView]{}, query: paged("state")}},
		{"POST", "/identities/{person}/link", rightOperate, a.link, about{sum: "Say whom a person turned out to be", in: LinkRequest{}, out: hub.Linked{}}},
		{"POST", "/identities/{person}/unlink", rightOperate, a.unlink, about{sum: "Say that a resource is not this person's", in: UnlinkRequest{}, out: hub.Linked{}}},
	}
}
