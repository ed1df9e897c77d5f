package admin

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// AuditAnswer says whether the audit trail holds.
type AuditAnswer struct {
	Checked     int64              `json:"checked"`
	Checkpoints int                `json:"checkpoints"` // those that were compared, those given included
	Faults      []store.AuditFault `json:"faults"`
	PublicKey   string             `json:"public_key"` // that checkpoints are signed with now, hexadecimal
	// Configured says that the key is that of audit.key. The hub's own is in its database:
	// whoever can rewrite the trail there can sign it, too.
	Configured bool `json:"configured"`
}

// AuditRequest is what was kept elsewhere, to hold the audit trail against.
type AuditRequest struct {
	Checkpoints []store.Checkpoint `json:"checkpoints,omitempty"`
	PublicKeys  []string           `json:"public_keys,omitempty"` // that count beside the hub's, hexadecimal
}

// verifyAudit checks the chain and the checkpoints. GET compares nothing else.
func (a *API) verifyAudit(r *http.Request, _ Caller) (any, error) {
	var in AuditRequest
	if r.Method == http.MethodPost {
		if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) { // nothing at all is fine
			return nil, err
		}
	}
	more, err := PublicKeys(in.PublicKeys)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	keys, err := a.Hub.AuditKeys(ctx, more...)
	if err != nil {
		return nil, err
	}
	out := AuditAnswer{Configured: keys.Preferred != nil, Faults: []store.AuditFault{}}
	if key, _, err := a.Hub.AuditKey(ctx); err == nil {
		out.PublicKey = hex.EncodeToString(key.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // as crypto/ed25519 says
	}
	checked, faults, err := a.Hub.Store.VerifyAudit(ctx)
	if err != nil {
		return nil, err
	}
	n, more2, err := a.Hub.Store.VerifyCheckpoints(ctx, keys, in.Checkpoints)
	out.Checked, out.Checkpoints, out.Faults = checked, n, append(append(out.Faults, faults...), more2...)
	if len(in.Checkpoints) == 0 && len(out.Faults) > 0 { // of what is kept elsewhere nobody knows here whether it is ours
		a.Hub.TellAuditBroken(ctx, len(out.Faults), out.Faults[0].Message)
	}
	return out, err
}

// PublicKeys reads Ed25519 keys in hexadecimal.
func PublicKeys(texts []string) (out []ed25519.PublicKey, err error) {
	for _, text := range texts {
		key, err := hex.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, model.Fail(model.Invalid, "a public key has 64 hexadecimal digits", nil)
		}
		out = append(out, key)
	}
	return out, nil
}

// lastCheckpoint is for keeping elsewhere.
func (a *API) lastCheckpoint(r *http.Request, _ Caller) (any, error) {
	c, found, err := a.Hub.Store.LastCheckpoint(r.Context())
	if err == nil && !found {
		err = model.Fail(model.NotFound, "no checkpoint has been signed yet: the first follows within a minute of the hub's start", nil)
	}
	return c, err
}

func (a *API) audit(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	entries, next, err := a.Hub.Store.AuditPage(r.Context(), store.AuditFilter{Identity: q.Get("identity"), After: q.Get("cursor"), Limit: limit})
	return list(entries, next), err
}

// exportAudit streams a part of the trail: GET …?format=jsonl|csv&since=&until=&identity=.
func (a *API) exportAudit(r *http.Request, _ Caller) (any, error) {
	q := r.URL.Query()
	part, err := a.auditRange(r)
	if err != nil {
		return nil, err
	}
	switch q.Get("format") {
	case "", "jsonl":
		return streamed{"application/jsonl", func(ctx context.Context, w *bufio.Writer) error {
			out := store.NewAuditWriter(w)
			if err := a.Hub.Store.ExportAudit(ctx, part, false, out.Begin, out.Add); err != nil {
				return err
			}
			return out.End()
		}}, nil
	case "csv":
		return streamed{"text/csv; charset=utf-8", func(ctx context.Context, w *bufio.Writer) error { return a.auditCSV(ctx, w, part) }}, nil
	}
	return nil, model.Fail(model.Invalid, "format must be jsonl or csv", nil)
}

func (a *API) auditRange(r *http.Request) (part store.AuditRange, err error) {
	q := r.URL.Query()
	for _, m := range []struct {
		name string
		into *time.Time
	}{{"since", &part.Since}, {"until", &part.Until}} {
		if text := q.Get(m.name); text != "" {
			if *m.into, err = a.readMoment(m.name, text); err != nil {
				return part, err
			}
		}
	}
	if who := q.Get("identity"); who != "" {
		err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
			row, err := tx.FindIdentity(who)
			part.Identity = row.ID
			return err
		})
	}
	return part, err
}

func (a *API) auditCSV(ctx context.Context, w io.Writer, part store.AuditRange) error {
	out := csv.NewWriter(w)
	begin := func(store.AuditExport) error {
		return out.Write([]string{"at", "actor", "action", "object", "identity", "data", "lane", "seq", "hash", "erased"})
	}
	err := a.Hub.Store.ExportAudit(ctx, part, true, begin, func(e store.AuditEntry, _ []byte) error {
		return out.Write([]string{e.At.Format(time.RFC3339Nano), cell(e.Actor), cell(e.Action), cell(e.Object), cell(e.Identity), cell(string(e.Data)),
			strconv.Itoa(e.Lane), strconv.FormatInt(e.Seq, 10), hex.EncodeToString(e.Hash), strconv.FormatBool(e.Erased())})
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// cell keeps a spreadsheet from taking what a client wrote for a formula.
func cell(text string) string {
	if strings.ContainsRune("=+-@\t\r\n|%", firstOf(strings.TrimLeft(text, " \u00a0"))) || strings.ContainsRune("＝＋－＠", firstOf(text)) {
		return "'" + text
	}
	return text
}

// firstOf is the first character, or a letter where there is none.
func firstOf(text string) rune {
	for _, r := range text {
		return r
	}
	return 'x'
}
