package store

import "github.com/scimhub/scimhub/model"

// The kinds of linked_asked.
const (
	askedRequest   = "request"
	askedException = "exception"
	askedDeputy    = "deputy"
	askedStandsIn  = "stands_in"
	askedExclusion = "exclusion"
)

// noteAsked remembers what is about to go from an identity to another by a link.
func (t *Tx) noteAsked(from string) error {
	for kind, where := range map[string]string{
		askedRequest:   `requests WHERE identity_id = ? AND live`,
		askedException: `exceptions WHERE identity_id = ? AND ended_at IS NULL`,
		askedDeputy:    `deputies WHERE person_id = ? AND ended_at IS NULL`,
		askedStandsIn:  `deputies WHERE deputy_id = ? AND ended_at IS NULL`,
		askedExclusion: `exclusions WHERE identity_id = ? AND ended_at IS NULL`,
	} {
		_, err := t.exec(`INSERT INTO linked_asked (identity_id, kind, item, at) SELECT CAST(? AS text), CAST(? AS text), id, CAST(? AS bigint) FROM `+where+` ON CONFLICT DO NOTHING`,
			from, kind, micros(t.Now), from)
		if err != nil {
			return err
		}
	}
	return nil
}

// ReturnAsked gives back to an identity what was asked of it, or allowed to it, and went
// to another by a link, as far as that one still has it: what was approved for one of
// two people must not stay with the other when they are parted.
func (t *Tx) ReturnAsked(to, holder string) error {
	const of = ` AND id IN (SELECT item FROM linked_asked WHERE identity_id = ? AND kind = ?)`
	docs, err := t.requestsWhere(`live AND identity_id = ?`+of+` ORDER BY id`, holder, to, askedRequest)
	if err != nil {
		return err
	}
	for _, r := range docs {
		if err := t.returnRequest(r, to, holder); err != nil {
			return err
		}
	}
	for _, s := range []struct{ statement, kind string }{
		{`UPDATE exceptions SET identity_id = ? WHERE identity_id = ? AND ended_at IS NULL`, askedException},
		{`UPDATE deputies SET person_id = ? WHERE person_id = ? AND ended_at IS NULL`, askedDeputy},
		{`UPDATE deputies SET deputy_id = ? WHERE deputy_id = ? AND ended_at IS NULL`, askedStandsIn},
	} {
		if _, err := t.exec(s.statement+of, to, holder, to, s.kind); err != nil {
			return err
		}
	}
	if err := t.moveExclusions(to, `identity_id = ?`+of, holder, to, askedExclusion); err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM linked_asked WHERE identity_id = ?`, to)
	return err
}

// returnRequest gives a request back. Who asked for themselves did so as who they are.
func (t *Tx) returnRequest(r model.Request, to, holder string) error {
	r.Identity = to
	if r.AskedBy != holder {
		return t.rewriteRequest(r, "", "")
	}
	return t.rewriteRequest(r, holder, to)
}
