package admin

// evidenceRoutes are those with which auditors are answered. With format csv or jsonl,
// or an Accept of text/csv, the answer is streamed whole.
func (a *API) evidenceRoutes() []route {
	paged := func(more ...string) []string { return append(more, "format", "cursor", "limit") }
	return []route{
		{"GET", "/evidence/access", rightRead, a.evidenceAccess, about{sum: "Who had access at a moment or between two, why, and who approved it", out: Evidence[AccessEvidence]{}, query: paged("target", "group", "role", "at", "from", "until", "all")}},
		{"GET", "/evidence/person/{person}", rightRead, a.evidencePerson, about{sum: "All changes of one person", out: Evidence[ChangeEvidence]{}, query: paged("from", "until")}},
		{"GET", "/evidence/conflicts", rightRead, a.evidenceConflicts, about{sum: "Roles that nobody should hold together, who does, and the exceptions", out: Evidence[ConflictEvidence]{}, query: paged()}},
		{"GET", "/evidence/leavers", rightRead, a.evidenceLeavers, about{sum: "How long leavers kept access at each target", out: Evidence[LeaverEvidence]{}, query: paged("from", "until")}},
	}
}
