package store

import "time"

// HistoryOf is what was known of some people at a moment; those of whom nothing was
// known then are left out.
func (t *Tx) HistoryOf(ids []string, at time.Time) ([]HistoryRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in := list(len(ids))
	rows, err := t.query(`SELECT h.identity_id, h.at, h.doc FROM identity_history h JOIN
(SELECT identity_id, max(at) AS at FROM identity_history WHERE at <= ? AND identity_id IN `+in+` GROUP BY identity_id) m ON m.identity_id = h.identity_id AND m.at = h.at ORDER BY h.identity_id`,
		append([]any{micros(at)}, anys(ids)...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []HistoryRow
	for rows.Next() {
		var r HistoryRow
		var when int64
		var doc string
		if err := rows.Scan(&r.Identity, &when, &doc); err != nil {
			return nil, err
		}
		r.At = fromMicros(when)
		if err := decodeHistory(doc, &r.Doc); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
