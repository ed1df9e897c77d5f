package admin

// reviewRoutes are those about access reviews. Persons see and decide what they are
// asked; the hub looks at that.
func (a *API) reviewRoutes() []route {
	paging := func(more ...string) []string { return append(more, "cursor", "limit") }
	return []route{
		{"POST", "/reviews", rightOperate, a.startReview, about{sum: "Start an access review", in: ReviewStart{}, out: ReviewView{}}},
		{"POST", "/reviews/estimate", rightOperate, a.estimateReview, about{sum: "How many items an access review would have", in: ReviewStart{}, out: ReviewEstimate{}}},
		{"GET", "/reviews", rightSeeOwn, a.reviews, about{sum: "Access reviews, the newest first", out: page[ReviewView]{}, query: paging("state", "waiting")}},
		{"GET", "/reviews/inbox", rightSeeOwn, a.reviewInbox, about{sum: "Items of all reviews that wait for the caller", out: page[ReviewItemView]{}, query: paging("risk", "recommend", "role", "person")}},
		{"GET", "/reviews/exclusions", rightRead, a.exclusions, about{sum: "What reviewers keep from people, the newest first", out: page[ExclusionView]{}, query: paging("person", "ended")}},
		{"POST", "/reviews/exclusions/{exclusion}/end", rightOperate, a.endExclusion, about{sum: "Let somebody have again what a reviewer took away", in: ExclusionEnd{}, out: ExclusionView{}}},
		{"GET", "/reviews/{review}", rightSeeOwn, a.review, about{sum: "One access review", out: ReviewView{}}},
		{"GET", "/reviews/{review}/items", rightSeeOwn, a.reviewItems, about{sum: "Items of a review", out: page[ReviewItemView]{}, query: paging("state", "reviewer", "person", "role", "risk", "recommend", "mine")}},
		{"GET", "/reviews/{review}/items/{item}", rightSeeOwn, a.reviewItem, about{sum: "One item of a review", out: ReviewItemView{}}},
		{"POST", "/reviews/{review}/items/{item}/decide", rightAsk, a.decideReview, about{sum: "Decide about one item", in: ReviewDecide{}, out: ReviewItemView{}}},
		{"POST", "/reviews/{review}/decide", rightAsk, a.decideReviews, about{sum: "Decide about many items at once", in: ReviewBulk{}, out: ReviewBulkResult{}}},
		{"POST", "/reviews/{review}/seen", rightAsk, a.seeReview, about{sum: "Note which items the caller has had before them", in: ReviewSeen{}, out: ReviewSeenAnswer{}}},
		{"POST", "/reviews/{review}/close", rightOperate, a.closeReview, about{sum: "Close an access review", in: ReviewClose{}, out: ReviewView{}}},
		{"GET", "/reviews/{review}/report", rightRead, a.reviewReport, about{sum: "The evidence of an access review", out: ReviewReport{}}},
		{"GET", "/reviews/{review}/export", rightRead, a.exportReview, about{sum: "All items of an access review with their decisions, as CSV or JSON", query: []string{"format"}, also: []string{kindJSON, kindCSV}}},
	}
}
