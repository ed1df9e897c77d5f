package console

// watchPages are those of what is watched: leavers, drift, findings.
func (c *Console) watchPages() []page {
	return []page{
		{"/leavers", "leavers", showLeavers},
		{"/drift", "drift", showDrift},
		{"/findings", "findings", showFindings},
	}
}
