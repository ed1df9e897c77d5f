package hub

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// sameNumber is how many people of one number are looked at again when it is given
// or taken: enough for two to become one and one two.
const sameNumber = 10

// saveFound stores the findings of a decision and whatever of it makes those of
// others differ, and ends exceptions whose time has come.
func saveFound(tx *store.Tx, d Decision, k Known) ([]store.AuditEntry, error) {
	if !slices.Equal(d.texts(), k.Row.Findings) {
		if err := tx.SetFindings(d.Identity.ID, d.Findings); err != nil {
			return nil, err
		}
	}
	if here(k.Row.Stage) != here(d.Stage) && k.Row.Stage != "" {
		people, err := tx.ExceptionsOwned(d.Identity.ID)
		if err != nil {
			return nil, err
		}
		if err := tx.Mark(false, people...); err != nil {
			return nil, err
		}
	}
	entries, err := endExceptions(tx, k)
	if err != nil {
		return nil, err
	}
	told, err := tellFound(tx, d, k)
	return append(entries, told...), err
}

// tellFound adds to the person's timeline that roles are kept for hand-over from now
// on, and what conflicts came about.
func tellFound(tx *store.Tx, d Decision, k Known) (entries []store.AuditEntry, err error) {
	until := map[string]time.Time{}
	for _, g := range d.Grants {
		before := slices.ContainsFunc(k.Held, func(h model.Grant) bool { return h.Role == g.Role && isHandOver(h) })
		if isHandOver(g) && g.Until != nil && !before {
			until[g.Role] = *g.Until
		}
	}
	tell := func(action string, data map[string]any) error {
		entry, err := personEvent(tx, "hub", action, "identity/"+d.Identity.ID, d.Identity.ID, data)
		entries = append(entries, entry)
		return err
	}
	if len(until) > 0 {
		if err := tell("handover.started", map[string]any{"kept": until}); err != nil {
			return nil, err
		}
	}
	for _, f := range d.Findings {
		if f.Kind == model.FindingConflict && !slices.Contains(k.Row.Findings, f.Message) {
			if err := tell("conflict.found", map[string]any{"conflict": f.Subject, "message": f.Message}); err != nil {
				return nil, err
			}
			if err := tx.Notify(store.Notice{Type: "conflict.found", Subject: "identity/" + d.Identity.ID, Identity: d.Identity.ID,
				Data: map[string]any{"for": d.Identity.Name(), "conflict": f.Subject, "message": f.Message}}); err != nil {
				return nil, err
			}
		}
	}
	return entries, nil
}

// here reports whether somebody of the stage can answer for an exception.
func here(s model.Stage) bool { return s == model.Active || s == model.Leave }

// renumbered is somebody whose number is another one than before; either may be empty.
type renumbered struct{ id, before, after string }

// markNumbered marks those who have a number that somebody no longer has, or has
// from now on, too; and that person, who was evaluated without knowing of them.
func markNumbered(tx *store.Tx, list []renumbered) error {
	var numbers []string
	for _, r := range list {
		numbers = append(numbers, r.before, r.after)
	}
	slices.Sort(numbers)
	holders, err := tx.Numbered(slices.Compact(numbers), sameNumber)
	if err != nil {
		return err
	}
	var people []string
	for _, r := range list {
		others := slices.Concat(holders[r.before], holders[r.after])
		others = slices.DeleteFunc(others, func(other string) bool { return other == r.id })
		if len(others) > 0 {
			people = append(append(people, others...), r.id)
		}
	}
	if len(people) == 0 {
		return nil
	}
	slices.Sort(people)
	return tx.Mark(false, slices.Compact(people)...)
}

// endExceptions notes that exceptions have come to their end.
func endExceptions(tx *store.Tx, k Known) (entries []store.AuditEntry, err error) {
	for _, e := range k.Exceptions {
		if e.EndedAt != nil || tx.Now.Before(e.Until) {
			continue
		}
		ended, err := tx.EndException(e.ID, "hub", e.Until)
		if err != nil {
			return nil, err
		}
		if !ended {
			continue
		}
		entry, err := exceptionEvent(tx, "hub", "exception.ended", e, "its time has come")
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// exceptionEvent adds to the person's timeline what became of an exception, and
// gives the audit entry of it.
func exceptionEvent(tx *store.Tx, actor, action string, e model.Exception, why string) (store.AuditEntry, error) {
	data := map[string]any{"id": e.ID, "roles": e.Roles, "owner": e.Owner, "reason": e.Reason, "from": e.From, "until": e.Until}
	if e.Request != "" {
		data["request"] = e.Request
	}
	if why != "" {
		data["why"] = why
	}
	return personEvent(tx, actor, action, "exception/"+e.ID, e.Identity, data)
}

// personEvent adds an event to a person's timeline, and gives the audit entry of it.
func personEvent(tx *store.Tx, actor, action, object, identity string, data map[string]any) (store.AuditEntry, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return store.AuditEntry{}, err
	}
	if err := tx.AddEvent(store.Event{Type: action, Identity: identity, Data: data}); err != nil {
		return store.AuditEntry{}, err
	}
	return store.AuditEntry{Actor: actor, Action: action, Object: object, Identity: identity, Data: body}, nil
}
