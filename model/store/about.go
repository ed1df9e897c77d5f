package store

import "github.com/scimhub/scimhub/model"

// About is what is known of people beside the facts of the sources, by identity.
type About struct {
	Requests   map[string][]model.Request // those of which something may still become, by creation
	Exceptions map[string][]model.Exception
	Cases      map[string]*model.Case // open ones; the oldest
	Namesakes  map[string][]string    // names of others with the same number
	Exclusions map[string][]model.Exclusion
}

// About reads it for up to a few hundred identities.
func (t *Tx) About(ids []string) (a About, err error) {
	if a.Requests, err = t.openRequests(ids); err != nil {
		return a, err
	}
	if a.Exceptions, err = t.exceptionsOf(ids); err != nil {
		return a, err
	}
	if a.Cases, err = t.openCases(ids); err != nil {
		return a, err
	}
	if a.Exclusions, err = t.exclusionsOf(ids); err != nil {
		return a, err
	}
	a.Namesakes, err = t.namesakes(ids)
	return a, err
}
