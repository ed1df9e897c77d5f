package console

// peoplePages are those of people.
func (c *Console) peoplePages() []page {
	return []page{
		{"/people", "people", showPeople},
		{"/people/{person}", "person", showPerson},
		{"/people/{person}/timeline", "timeline", showTimeline},
		{"/cases", "cases", showCases},
	}
}

// peopleActions are what forms do there.
func (c *Console) peopleActions() []action {
	return []action{
		{"/people/{person}/run", runPerson},
		{"/people/{person}/what-if", whatIf},
		{"/people/{person}/link", linkPerson},
		{"/people/{person}/unlink", unlinkPerson},
		{"/people/{person}/erase", erasePerson},
	}
}
