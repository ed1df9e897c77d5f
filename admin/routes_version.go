package admin

// versionRoutes are those about versions of the configuration, replay and policy.
func (a *API) versionRoutes() []route {
	return []route{
		{"GET", "/config/versions", readers, a.configVersions},
		{"GET", "/config/versions/{version}", readers, a.configVersion},
		{"GET", "/config/diff", readers, a.diffConfig},
		{"POST", "/config/rollback", admins, a.rollBack},
		{"GET", "/export/identities", readers, a.exportPeople},
		{"POST", "/replay", operators, a.replay},
	}
}
