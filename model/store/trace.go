package store

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/telemetry"
)

// requestKey is where the data of an audit entry says which request made it.
const requestKey = "request_id"

// joined is the data of an audit entry with the id of the request that the transaction
// belongs to, which log lines and spans name, too. Data that is no JSON object stays
// as it is.
func (t *Tx) joined(data json.RawMessage) json.RawMessage {
	id := telemetry.RequestID(t.ctx)
	if id == "" {
		return data
	}
	own := []byte(`{"` + requestKey + `":"` + id + `"`) // sane: there is nothing to escape
	rest := bytes.TrimSpace(data)
	switch {
	case len(rest) == 0 || bytes.Equal(rest, []byte("null")) || bytes.Equal(rest, []byte("{}")):
		return append(own, '}')
	case rest[0] != '{':
		return data
	}
	return append(append(own, ','), rest[1:]...)
}

// carried is what is stored beside a mark or an account so that whoever works on it
// goes on with the trace of this transaction; empty where nothing is traced.
func (t *Tx) carried() string { return telemetry.Carry(t.ctx) }

// traceColumn is the part of an INSERT that stores what is carried, and of its ON
// CONFLICT: nothing at all where nothing is traced.
func traceColumn(trace string) (column, value, conflict string, args []any) {
	if trace == "" {
		return "", "", "", nil
	}
	return ", trace", ",?", ", trace = excluded.trace", []any{trace}
}

// span measures what is written together, where the caller's work is traced.
func (s *Store) span(ctx context.Context) (context.Context, telemetry.Span) {
	name := "sqlite"
	if s.pg {
		name = "postgresql"
	}
	return telemetry.Start(ctx, "transaction", telemetry.Client, telemetry.Text(telemetry.AttrDatabase, name))
}

// named is an audit entry of a change at a target with the change's id, which log lines
// and spans name, too. generation is that of the row that the change was based on.
func named(e AuditEntry, target string, generation int64, c model.Change) AuditEntry {
	id := telemetry.ChangeID(target, c.Identity, generation, string(c.Verb), c.Group)
	if rest, ok := bytes.CutPrefix(e.Data, []byte("{")); ok && len(rest) > 1 {
		e.Data = append([]byte(`{"change":"`+id+`",`), rest...)
	}
	return e
}
