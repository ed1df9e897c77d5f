package admin

import "github.com/scimhub/scimhub/model/store"

// historyRoutes are those about the past: explanations, the audit trail.
func (a *API) historyRoutes() []route {
	return []route{
		{"POST", "/audit/verify", rightRead, a.verifyAudit, about{sum: "Whether the audit trail holds, against what was kept elsewhere", in: AuditRequest{}, out: AuditAnswer{}, reads: true}},
		{"GET", "/audit/checkpoint", rightRead, a.lastCheckpoint, about{sum: "The last signed checkpoint, for keeping elsewhere", out: store.Checkpoint{}}},
		{"GET", "/audit/export", rightRead, a.exportAudit, about{sum: "A part of the audit trail, streamed", query: []string{"format", "since", "until", "identity"}, also: []string{"application/jsonl", kindCSV}}},
	}
}
