package admin

// versionRoutes are those about versions of the configuration, replay and policy.
func (a *API) versionRoutes() []route {
	return []route{
		{"GET", "/config/versions", rightRead, a.configVersions, about{}},
		{"GET", "/config/versions/{version}", rightRead, a.configVersion, about{}},
		{"GET", "/config/diff", rightRead, a.diffConfig, about{}},
		{"POST", "/config/rollback", rightAdminister, a.rollBack, about{}},
		{"GET", "/export/identities", rightRead, a.exportPeople, about{}},
		{"POST", "/replay", rightOperate, a.replay, about{}},
	}
}
