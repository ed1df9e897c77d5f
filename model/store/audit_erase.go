package store

import (
	"encoding/json"
	"fmt"
	"slices"
)

// EraseAudit removes the data of all entries about a person: who they were and what
// was said of them. Who did what to identity/<id>, and when, stays, and the chain still
// verifies. An entry identity.erase of the same transaction has to say why; without
// it the verification reports the entries. It returns how many entries lost their data.
func (t *Tx) EraseAudit(identity string) (entries int, err error) {
	if identity == "" {
		return 0, nil
	}
	rows, err := t.erasable(identity)
	if err != nil {
		return 0, fmt.Errorf("erase the audit trail of %s: %w", identity, err)
	}
	kept := map[string]string{}
	for _, e := range rows {
		form, hash := formErased, e.dataHash()
		if e.Form == formPlain {
			form, hash = formPlainErased, e.digest()
			e.DataHash = hash
			kept[fmt.Sprint(e.Lane, ".", e.Seq)] = e.keptSum()
		}
		if _, err := t.exec(`UPDATE audit SET form = ?, data = '{}', salt = NULL, data_hash = ? WHERE lane = ? AND seq = ?`, form, hash, e.Lane, e.Seq); err != nil {
			return 0, err
		}
	}
	if len(rows) == 0 {
		return 0, nil
	}
	data := map[string]any{"entries": len(rows)}
	if len(kept) > 0 {
		data["kept"] = kept
	}
	body, err := json.Marshal(data)
	if err != nil {
		return 0, err
	}
	return len(rows), t.Audit(AuditEntry{Actor: "hub", Action: actionAuditErase, Object: "identity/" + identity, Identity: identity, Data: body})
}

// erasable are the entries about a person that have data, but for those that say
// that the person was erased.
func (t *Tx) erasable(identity string) (out []AuditEntry, err error) {
	rows, err := t.query(`SELECT `+auditColumns+` FROM audit WHERE identity_id = ? AND form <= 2 AND data <> '{}' ORDER BY lane, seq`, identity)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]string{actionErase, actionAuditErase}, e.Action) {
			out = append(out, e)
		}
	}
	return out, rows.Err()
}
