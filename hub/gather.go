package hub

import (
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// gather reads what decisions about some people need, in one go; people that are not
// there are left out.
func gather(tx *store.Tx, snap *Snapshot, ids []string) (map[string]Known, error) {
	facts, err := tx.Facts(ids)
	if err != nil {
		return nil, err
	}
	grants, err := tx.Grants(ids)
	if err != nil {
		return nil, err
	}
	accounts, err := tx.AccountsOf(ids)
	if err != nil {
		return nil, err
	}
	about, err := tx.About(ids)
	if err != nil {
		return nil, err
	}
	managers, err := tx.Managers(namedManagers(snap, facts))
	if err != nil {
		return nil, err
	}
	var drills map[string]model.LeaverRun
	if len(snap.Doc.Identity.Drill) > 0 { // without test people there are none, whatever ran before
		if drills, err = tx.Drills(ids); err != nil {
			return nil, err
		}
	}
	out := make(map[string]Known, len(ids))
	for id, row := range facts.Rows {
		k := Known{Row: row, Users: facts.Users[id], Groups: facts.Groups[id], Held: grants[id],
			Exceptions: about.Exceptions[id], Case: about.Cases[id], Namesakes: about.Namesakes[id], Exclusions: about.Exclusions[id]}
		k.setRequests(about.Requests[id])
		k.setManager(managers[id])
		if run, drilling := drills[id]; drilling {
			k.Drill = &run
		}
		if k.Approvers, err = approversOf(tx, snap, k); err != nil {
			return nil, err
		}
		out[id] = k
	}
	for _, a := range accounts {
		if k, ok := out[a.Identity]; ok {
			k.Accounts = append(k.Accounts, a)
			out[a.Identity] = k
		}
	}
	return out, nil
}

// Failures are the findings that say that something could not be decided.
func (d Decision) Failures() (out []string) {
	for _, f := range d.Findings {
		switch f.Kind {
		case model.FindingRule, model.FindingMapping, model.FindingDate:
			out = append(out, f.Message)
		}
	}
	return out
}

// texts are the findings in words.
func (d Decision) texts() (out []string) {
	for _, f := range d.Findings {
		out = append(out, f.Message)
	}
	return out
}
