package admin

import "github.com/scimhub/scimhub/model"

// evidenceRoutes are those with which auditors are answered. With format csv or jsonl,
// or an Accept of text/csv, the answer is streamed whole.
func (a *API) evidenceRoutes() []route {
	paged := func(more ...string) []string { return append(more, "format", "cursor", "limit") }
	return []route{
		{"GET", "/evidence/access", rightRead, a.evidenceAccess, about{sum: "Who had access at a moment or between two, why, and who approved it", out: Evidence[AccessEvidence]{}, query: paged("target", "group", "role", "at", "from", "until", "all"), also: []string{kindCSV, "application/jsonl"}}},
		{"GET", "/evidence/person/{person}", rightRead, a.evidencePerson, about{sum: "All changes of one person", out: Evidence[ChangeEvidence]{}, query: paged("from", "until"), also: []string{kindCSV, "application/jsonl"}}},
		{"GET", "/evidence/conflicts", rightRead, a.evidenceConflicts, about{sum: "Roles that nobody should hold together, who does, and the exceptions", out: Evidence[ConflictEvidence]{}, query: paged(), also: []string{kindCSV, "application/jsonl"}}},
		{"GET", "/evidence/leavers", rightRead, a.evidenceLeavers, about{sum: "How long leavers kept access at each target", out: Evidence[LeaverEvidence]{}, query: paged("from", "until"), also: []string{kindCSV, "application/jsonl"}}},
		{"GET", "/evidence/reviews/{review}", rightRead, a.evidenceReview, about{sum: "What was decided in an access review, by whom, and what became of it", out: Evidence[model.ReviewItem]{}, query: paged(), also: []string{kindCSV, "application/jsonl"}}},
	}
}
