package hub

import (
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// settledRequests is what becomes of somebody's open requests at a moment.
type settledRequests struct {
	inForce []model.Request // give their roles now
	changed []model.Request // to be stored; without an id: new
	next    time.Time       // when time alone changes one of them
}

// Approvers are the people who may answer for one configured approver.
type Approvers struct {
	IDs   []string
	Fault string // why there is nobody, in words
}

// settleRequests works out which requests still stand. It is pure.
func settleRequests(_ *config.Document, _ Known, _ model.Identity, _ model.Stage, _ time.Time) settledRequests {
	return settledRequests{}
}

// askByRule asks for the roles that a rule gives and that need approval all the
// same, and closes what was asked for a rule that no longer matches.
func (s *settledRequests) askByRule(_ *config.Document, _ Known, _ policy.Result, _ time.Time) {}

// approversOf finds who could decide the open requests of a person.
func approversOf(_ *store.Tx, _ *Snapshot, _ Known) (map[string]Approvers, error) { return nil, nil }

// saveRequests stores the requests that a decision changed, with their events.
func (h *Hub) saveRequests(_ *store.Tx, _ *Snapshot, _ Decision, _ Known) error { return nil }
