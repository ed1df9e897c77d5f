package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ExportFormat is the form of exported people that this program reads and writes.
const ExportFormat = 1

// ExportHead is the first line of a file of exported people.
type ExportHead struct {
	Format  int       `json:"scimhub_people"`
	Version int64     `json:"config_version"` // in force when they were exported
	At      time.Time `json:"at"`
}

// ExportedPerson is everything that a decision about one person rests on, with what was
// decided last, as one line of JSON. What stands beside Known repeats parts of it for
// whoever reads the file.
type ExportedPerson struct {
	ID     string      `json:"id"`
	Person string      `json:"person"`
	Stage  model.Stage `json:"stage"`
	Roles  []string    `json:"roles"`
	Known  ExportFacts `json:"known"`
}

// ExportFacts is Known in a form that can be stored.
type ExportFacts struct {
	Row        store.IdentityRow    `json:"row"`
	Users      []store.SourceUser   `json:"users,omitempty"`
	Groups     []model.Membership   `json:"groups,omitempty"`
	Held       []model.Grant        `json:"held,omitempty"`
	Requests   []model.Request      `json:"requests,omitempty"`
	Asked      []model.Request      `json:"asked,omitempty"`
	Exceptions []model.Exception    `json:"exceptions,omitempty"`
	Case       *model.Case          `json:"case,omitempty"`
	Manager    *model.Manager       `json:"manager,omitempty"`
	Noted      store.ManagerSet     `json:"noted,omitzero"`
	Namesakes  []string             `json:"namesakes,omitempty"`
	Approvers  map[string]Approvers `json:"approvers,omitempty"`
	Accounts   []ExportedAccount    `json:"accounts,omitempty"`
}

// ExportedAccount is what one target should hold of a person.
type ExportedAccount struct {
	Target     string                    `json:"target"`
	Desired    *model.Account            `json:"desired"`
	Because    map[string][]model.Reason `json:"because,omitempty"`
	Leaver     bool                      `json:"leaver,omitempty"`
	LeaverHeld bool                      `json:"leaver_held,omitempty"`
}

// Export reads people for a file, in the order of ids.
func (h *Hub) Export(tx *store.Tx, snap *Snapshot, ids []string) ([]ExportedPerson, error) {
	known, err := gather(tx, snap, ids)
	if err != nil {
		return nil, err
	}
	out := make([]ExportedPerson, 0, len(ids))
	for _, id := range ids {
		if k, ok := known[id]; ok {
			out = append(out, exported(snap, k))
		}
	}
	return out, nil
}

// concealed is a user without what is never returned (RFC 7643 §7): no rule and no
// mapping can read it, so that whatever is decided of the rest is the same.
func concealed(snap *Snapshot, user map[string]any) map[string]any {
	t, ok := snap.Doc.Registry.Type("User")
	if !ok || user == nil {
		return user
	}
	out := make(map[string]any, len(user))
	for name, v := range user {
		out[name] = t.Conceal(name, v)
	}
	return out
}

func exported(snap *Snapshot, k Known) ExportedPerson {
	k.Row.User, k.Users = concealed(snap, k.Row.User), slices.Clone(k.Users)
	for i, u := range k.Users {
		k.Users[i].Attrs = concealed(snap, u.Attrs)
	}
	p := ExportedPerson{ID: k.Row.ID, Person: k.Row.Name, Stage: k.Row.Stage, Roles: names(k.Held, func(g model.Grant) string { return g.Role })}
	slices.Sort(p.Roles)
	p.Known = ExportFacts{Row: k.Row, Users: k.Users, Groups: k.Groups, Held: k.Held, Requests: k.Requests, Asked: k.asked, Exceptions: k.Exceptions,
		Case: k.Case, Manager: k.Manager, Noted: k.noted, Namesakes: k.Namesakes, Approvers: k.Approvers}
	for _, a := range k.Accounts {
		p.Known.Accounts = append(p.Known.Accounts, ExportedAccount{a.Target, a.Desired, a.Because, a.Leaver, a.LeaverHeld})
	}
	return p
}

// ParseExportHead reads the first line of a file of exported people.
func ParseExportHead(line []byte) (ExportHead, error) {
	var head ExportHead
	if err := json.Unmarshal(line, &head); err != nil || head.Format == 0 {
		return head, model.Fail(model.Invalid, "this is no file of people: scimhub identity export writes one", err)
	}
	if head.Format != ExportFormat {
		return head, model.Fail(model.Invalid, fmt.Sprintf("the people are in form %d, this program reads form %d: export them anew", head.Format, ExportFormat), nil)
	}
	return head, nil
}

// ParseExported reads one person. Their accounts are taken to be as they should be.
func ParseExported(line []byte) (Known, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // a whole number is to come back as it was stored
	d.DisallowUnknownFields()
	var p ExportedPerson
	if err := d.Decode(&p); err != nil {
		return Known{}, model.Fail(model.Invalid, "this is no exported person: "+err.Error(), err)
	}
	if p.ID == "" || p.ID != p.Known.Row.ID {
		return Known{}, model.Fail(model.Invalid, "this is no exported person: id is missing", nil)
	}
	f := p.Known
	k := Known{Row: f.Row, Users: f.Users, Groups: f.Groups, Held: f.Held, Requests: f.Requests, asked: f.Asked, Exceptions: f.Exceptions,
		Case: f.Case, Manager: f.Manager, noted: f.Noted, Namesakes: f.Namesakes, Approvers: f.Approvers}
	model.PlainNumbers(k.Row.User)
	for _, u := range k.Users {
		model.PlainNumbers(u.Attrs)
	}
	for _, a := range f.Accounts {
		row := model.AccountRow{Target: a.Target, Identity: p.ID, Desired: a.Desired, Because: a.Because, Leaver: a.Leaver, LeaverHeld: a.LeaverHeld}
		if a.Desired != nil {
			model.PlainNumbers(a.Desired.Attrs)
			row.Applied, row.Owned, row.RemoteID, row.State = a.Desired, model.OwnedCreated, "exported", model.StateInSync
		}
		k.Accounts = append(k.Accounts, row)
	}
	return k, nil
}
