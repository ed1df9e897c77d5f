package admin

// versionRoutes are those about versions of the configuration, replay and policy.
func (a *API) versionRoutes() []route {
	return []route{
		{"GET", "/config/versions", rightRead, a.configVersions, about{sum: "Versions of the configuration, the newest first", out: page[ConfigVersionView]{}, query: paged()}},
		{"GET", "/config/versions/{version}", rightRead, a.configVersion, about{sum: "One version of the configuration", out: ConfigVersionView{}}},
		{"GET", "/config/diff", rightRead, a.diffConfig, about{sum: "How two versions differ, in text and in what they decide", out: ConfigDiff{}, query: []string{"from", "to"}}},
		{"POST", "/config/rollback", rightAdminister, a.rollBack, about{sum: "Put the text of an earlier version in force", in: RollBackRequest{}, out: RollBackAnswer{}}},
		{"GET", "/export/identities", rightRead, a.exportPeople, about{sum: "People for a file that plans can be made with elsewhere", out: ExportPage{}, query: paged()}},
		{"POST", "/replay", rightOperate, a.replay, about{sum: "What a configuration would have decided in the past", in: ReplayRequest{}, out: ReplayAnswer{}, reads: true}},
	}
}
