package store

import (
	"context"
	"time"

	"github.com/scimhub/scimhub/model"
)

// SourceState is what is known of a source as a whole.
type SourceState struct {
	Source      string
	LastSeen    *time.Time // its last request or import; nil: none yet
	WatchedAt   time.Time  // since when silence is counted
	SilentSince *time.Time // it was found silent; nil: it is not
}

// Heard is when the source was last heard of, or since when it has been listened to.
func (s SourceState) Heard() time.Time {
	if s.LastSeen != nil && s.LastSeen.After(s.WatchedAt) {
		return *s.LastSeen
	}
	return s.WatchedAt
}

// SourceStates are all that are known, by name.
func (s *Store) SourceStates(ctx context.Context) (map[string]SourceState, error) {
	out := map[string]SourceState{}
	err := s.single(ctx, s.read, func(tx *Tx) error { return tx.sourceStates(out, ``) })
	return out, err
}

func (t *Tx) sourceStates(into map[string]SourceState, where string, args ...any) error {
	rows, err := t.query(`SELECT source, last_seen, watched_at, silent_since FROM source_state`+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var st SourceState
		var seen, silent *int64
		var watched int64
		if err := rows.Scan(&st.Source, &seen, &watched, &silent); err != nil {
			return err
		}
		st.LastSeen, st.SilentSince, st.WatchedAt = timePtr(seen), timePtr(silent), fromMicros(watched)
		into[st.Source] = st
	}
	return rows.Err()
}

// SeeSource notes that a source was heard of, and tells whether it had been silent
// until then, and since when.
func (t *Tx) SeeSource(source string, at time.Time) (silentSince *time.Time, err error) {
	states := map[string]SourceState{}
	if err := t.sourceStates(states, ` WHERE source = ?`+t.forUpdate(), source); err != nil {
		return nil, err
	}
	_, err = t.exec(`INSERT INTO source_state (source, last_seen, watched_at) VALUES (?,?,?)
ON CONFLICT (source) DO UPDATE SET silent_since = NULL, last_seen = CASE WHEN source_state.last_seen > excluded.last_seen THEN source_state.last_seen ELSE excluded.last_seen END`,
		source, micros(at), micros(at))
	return states[source].SilentSince, err
}

// WatchSource begins to listen for a source, if nobody does yet.
func (t *Tx) WatchSource(source string) error {
	_, err := t.exec(`INSERT INTO source_state (source, watched_at) VALUES (?,?) ON CONFLICT (source) DO NOTHING`, source, micros(t.Now))
	return err
}

// SilenceSource notes that a source is silent, if it has not been heard of since a
// moment and nobody noted it before.
func (t *Tx) SilenceSource(source string, heard time.Time) (bool, error) {
	n, err := t.exec(`UPDATE source_state SET silent_since = ? WHERE source = ? AND silent_since IS NULL AND watched_at <= ? AND (last_seen IS NULL OR last_seen <= ?)`,
		micros(t.Now), source, micros(heard), micros(heard))
	return n == 1, err
}

// UnsilenceSource takes the note back: the source may be silent for longer now, or for ever.
func (t *Tx) UnsilenceSource(source string) (bool, error) {
	n, err := t.exec(`UPDATE source_state SET silent_since = NULL WHERE source = ? AND silent_since IS NOT NULL`, source)
	return n == 1, err
}

func (t *Tx) forUpdate() string {
	if t.pg {
		return " FOR UPDATE"
	}
	return ""
}

// SetSourceFinding notes what is wrong with a source as a whole, or that it is no
// more: found is false. What was found before keeps the time since when.
func (t *Tx) SetSourceFinding(f model.Finding, found bool) error {
	if !found {
		_, err := t.exec(`DELETE FROM findings WHERE identity_id = '' AND kind = ? AND subject = ? AND source = ?`, f.Kind, f.Subject, f.Source)
		return err
	}
	_, err := t.exec(`INSERT INTO findings (identity_id, kind, subject, source, message, since) VALUES ('',?,?,?,?,?)
ON CONFLICT (identity_id, kind, subject, source) DO UPDATE SET message = excluded.message`, f.Kind, f.Subject, f.Source, f.Message, micros(t.Now))
	return err
}
