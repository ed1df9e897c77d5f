package admin

// reviewRoutes are those about access reviews. Persons see and decide what they are
// asked; the hub looks at that.
//
//	POST /reviews                          ReviewStart -> ReviewView
//	POST /reviews/estimate                 ReviewStart -> ReviewEstimate
//	GET  /reviews                          page[ReviewView]; state, waiting, cursor, limit
//	GET  /reviews/inbox                    page[ReviewItemView]: what waits for the caller, of all reviews
//	GET  /reviews/exclusions               page[ExclusionView]; person, ended, cursor, limit
//	POST /reviews/exclusions/{id}/end      ExclusionEnd -> ExclusionView
//	GET  /reviews/{review}                 ReviewView
//	GET  /reviews/{review}/items           page[ReviewItemView]; state, reviewer, person, role, risk, recommend, mine, cursor, limit
//	GET  /reviews/{review}/items/{item}    ReviewItemView
//	POST /reviews/{review}/items/{item}/decide   ReviewDecide -> ReviewItemView
//	POST /reviews/{review}/decide          ReviewBulk -> ReviewBulkResult
//	POST /reviews/{review}/seen            ReviewSeen -> ReviewSeenAnswer
//	POST /reviews/{review}/close           ReviewClose -> ReviewView
//	GET  /reviews/{review}/report          ReviewReport
//	GET  /reviews/{review}/export          csv or json, streamed
func (a *API) reviewRoutes() []route { return nil }
