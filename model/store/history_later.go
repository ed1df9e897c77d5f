package store

import (
	"fmt"
	"maps"
	"slices"
)

// later is what a transaction appends to the histories when it ends: all of a batch in
// few statements.
type later struct {
	people   map[string]string          // identity -> document
	accounts map[string]map[string]bool // target -> identities
	words    map[string][]searchWord    // identity -> what it is found by
	events   *rowset
}

// noteLater appends an account to the history at the end of the transaction, as it is
// then, where that differs from the last that is known of it.
func (t *Tx) noteLater(target, identity string) {
	if t.later.accounts == nil {
		t.later.accounts = map[string]map[string]bool{}
	}
	if t.later.accounts[target] == nil {
		t.later.accounts[target] = map[string]bool{}
	}
	t.later.accounts[target][identity] = true
}

// historyLater appends a version of a person at the end of the transaction.
func (t *Tx) historyLater(identity, doc string) {
	if t.later.people == nil {
		t.later.people = map[string]string{}
	}
	t.later.people[identity] = doc
}

// end appends what was left for the end of the transaction.
func (t *Tx) end() error {
	people := newRowset("identity_id text", "doc text")
	for _, id := range slices.Sorted(maps.Keys(t.later.people)) {
		people.add(id, t.later.people[id])
	}
	now := micros(t.Now)
	_, err := t.inRows(people, `INSERT INTO identity_history (identity_id, at, doc) SELECT v.identity_id, `+latest+`identity_history h WHERE h.identity_id = v.identity_id), v.doc FROM v WHERE TRUE
ON CONFLICT (identity_id, at) DO UPDATE SET doc = excluded.doc`, now, now)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	accounts := newRowset("target text", "identity_id text")
	for _, target := range slices.Sorted(maps.Keys(t.later.accounts)) {
		for _, id := range slices.Sorted(maps.Keys(t.later.accounts[target])) {
			accounts.add(target, id)
		}
	}
	if err := t.noteRows(accounts); err != nil {
		return err
	}
	if t.later.events != nil {
		if _, err := t.inRows(t.later.events, `INSERT INTO events (id, at, type, source, resource_id, identity_id, data) SELECT id, at, type, source, '', identity_id, data FROM v`); err != nil {
			return fmt.Errorf("timeline: %w", err)
		}
	}
	if err := t.endSearch(); err != nil {
		return err
	}
	t.later = later{}
	return nil
}
