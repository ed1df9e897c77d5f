package admin

// kindBackup is the media type of a backup: records of its own, compressed by gzip.
const kindBackup = "application/gzip"

// dataRoutes are those about the hub's data as a whole.
func (a *API) dataRoutes() []route {
	return []route{
		{"GET", "/backup", rightAdminister, a.backup, about{sum: "Everything the database holds, as it is at this moment, for scimhub restore", also: []string{kindBackup}}},
		{"GET", "/rebuild", rightRead, a.rebuildState, about{sum: "How far targets have been recovered after a restore or a loss", out: page[RebuildView]{}, query: paged()}},
		{"POST", "/rebuild", rightAdminister, a.beginRebuild, about{sum: "Read targets in full and recognise their accounts; nothing is written there meanwhile but for leavers", in: RebuildRequest{}, out: page[RebuildView]{}}},
		{"POST", "/rebuild/settle", rightAdminister, a.settleRebuild, about{sum: "Write what differs at targets that were read; what would be removed goes on waiting, each change by its digest", in: RebuildRequest{}, out: page[RebuildView]{}}},
	}
}
