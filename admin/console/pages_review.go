package console

// reviewPages are those of access reviews.
func (c *Console) reviewPages() []page {
	return []page{
		{"/reviews", "reviews", showReviews},
		{"/reviews/new", "reviewnew", showNewReview},
		{"/reviews/exclusions", "reviewtaken", showExclusions},
		{"/reviews/{review}", "review", showReview},
		{"/reviews/{review}/report", "reviewreport", showReviewReport},
		{"/reviews/{review}/export", "problem", exportReview}, // answers a file
		{"/reviews/{review}/items/{item}", "reviewitem", showReviewItem},
	}
}

// reviewActions are what forms do there.
func (c *Console) reviewActions() []action {
	return []action{
		{"/reviews", startReview},
		{"/reviews/exclusions/{exclusion}/end", endExclusion},
		{"/reviews/{review}/decide", decideReviews},
		{"/reviews/{review}/close", closeReview},
		{"/reviews/{review}/items/{item}/decide", decideReview},
	}
}
