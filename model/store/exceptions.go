package store

import "github.com/scimhub/scimhub/model"

func (t *Tx) exceptionsOf(_ []string) (map[string][]model.Exception, error) { return nil, nil }
