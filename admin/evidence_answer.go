package admin

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// evidencePages is how many items a streamed answer reads at a time.
const evidencePages = 500

// evidence is one question an auditor asks, and how it is answered page by page.
type evidence[T any] struct {
	kind, question string
	params         map[string]string
	columns        []string         // of a spreadsheet
	cells          func(T) []string // of an item, one for each column
	page           func(ctx context.Context, cursor string, limit int) (items []T, next string, err error)
}

// answer gives one page as JSON, or all of it as a stream: CSV or JSON lines.
func (e evidence[T]) answer(a *API, r *http.Request, by Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	head, err := a.evidenceHead(r.Context(), by, e.kind, e.question, e.params)
	if err != nil {
		return nil, err
	}
	switch format := evidenceFormat(r); format {
	case "json":
		items, next, err := e.page(r.Context(), r.URL.Query().Get("cursor"), limit)
		if err != nil {
			return nil, err
		}
		out := Evidence[T]{Head: head, Items: list(items, "").Items, Next: next, Count: len(items)}
		out.Digest, err = evidenceDigest(head, out.Items)
		return out, err
	case "csv":
		return streamed{"text/csv; charset=utf-8", func(ctx context.Context, w *bufio.Writer) error { return e.writeCSV(ctx, w, head) }}, nil
	case "jsonl":
		return streamed{"application/jsonl", func(ctx context.Context, w *bufio.Writer) error { return e.writeLines(ctx, w, head) }}, nil
	default:
		return nil, model.Fail(model.Invalid, "format must be json, csv or jsonl, not "+strconv.Quote(format), nil)
	}
}

// evidenceFormat is what was asked for: by a parameter, or else by the Accept header.
func evidenceFormat(r *http.Request) string {
	if format := r.URL.Query().Get("format"); format != "" {
		return format
	}
	for accept := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		switch kind, _, _ := strings.Cut(strings.TrimSpace(accept), ";"); kind {
		case "text/csv":
			return "csv"
		case "application/jsonl":
			return "jsonl"
		case "application/json":
			return "json"
		}
	}
	return "json"
}

// evidenceHead says what the evidence is and rests on.
func (a *API) evidenceHead(ctx context.Context, by Caller, kind, question string, params map[string]string) (EvidenceHead, error) {
	h := EvidenceHead{Question: question, Kind: kind, Generated: a.now(), By: by.Name, Parameters: params}
	if snap := a.Hub.Snapshot(); snap != nil {
		h.Hub, h.Version = snap.Doc.PublicURL, snap.Version
	}
	last, found, err := a.Hub.Store.LastCheckpoint(ctx)
	if err != nil || !found {
		return h, err
	}
	body, bad := last.Body()
	if bad != nil {
		return h, nil //nolint:nilerr // what cannot be read is nothing to rest on; audit verify says why
	}
	sum := sha256.Sum256([]byte(last.Signed))
	h.Checkpoint = &EvidenceCheckpoint{Seq: body.Seq, At: body.At, Hash: hex.EncodeToString(sum[:]), PublicKey: last.PublicKey}
	return h, nil
}

// evidenceDigest binds a head and its items.
func evidenceDigest(head EvidenceHead, items any) (string, error) {
	body, err := json.Marshal(struct {
		Head  EvidenceHead `json:"head"`
		Items any          `json:"items"`
	}{head, items})
	if err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// each calls visit with every item, page by page.
func (e evidence[T]) each(ctx context.Context, visit func(T) error) (n int, err error) {
	cursor := ""
	for {
		items, next, err := e.page(ctx, cursor, evidencePages)
		if err != nil {
			return n, err
		}
		for _, item := range items {
			if err := visit(item); err != nil {
				return n, err
			}
			n++
		}
		if cursor = next; next == "" {
			return n, nil
		}
	}
}

// writeCSV writes the head as lines that begin with #, a table, and at the end the count
// and the SHA-256 of everything before the line that names it.
func (e evidence[T]) writeCSV(ctx context.Context, w io.Writer, head EvidenceHead) error {
	sum := sha256.New()
	out := csv.NewWriter(io.MultiWriter(w, sum))
	line := func(name, value string) error { // as it is: a quoted line would be a row
		out.Flush()
		_, err := fmt.Fprintf(io.MultiWriter(w, sum), "# %s: %s\n", name, strings.Join(strings.Fields(value), " "))
		return errors.Join(out.Error(), err)
	}
	for _, l := range head.lines() {
		if err := line(l[0], l[1]); err != nil {
			return err
		}
	}
	if err := out.Write(e.columns); err != nil {
		return err
	}
	n, err := e.each(ctx, func(item T) error {
		cells := e.cells(item)
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		return out.Write(cells)
	})
	if err == nil {
		err = line("count", strconv.Itoa(n))
	}
	if out.Flush(); err == nil {
		err = out.Error()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "# sha256: %x\n", sum.Sum(nil))
	return err
}

// lines are the head as names and values.
func (h EvidenceHead) lines() [][2]string {
	out := [][2]string{{"question", h.Question}, {"hub", h.Hub}, {"configuration version", strconv.FormatInt(h.Version, 10)},
		{"generated at", h.Generated.Format(time.RFC3339Nano)}, {"by", h.By}}
	for _, name := range slices.Sorted(maps.Keys(h.Parameters)) {
		out = append(out, [2]string{name, h.Parameters[name]})
	}
	if c := h.Checkpoint; c != nil {
		out = append(out, [2]string{"audit checkpoint", fmt.Sprintf("%d of %s, sha256 %s", c.Seq, c.At.Format(time.RFC3339), c.Hash)})
	}
	return out
}

// writeLines writes the head, the items, and at the end the count and the SHA-256 of
// everything before that line, each as a line of JSON.
func (e evidence[T]) writeLines(ctx context.Context, w io.Writer, head EvidenceHead) error {
	sum := sha256.New()
	out := json.NewEncoder(io.MultiWriter(w, sum))
	if err := out.Encode(map[string]any{"head": head}); err != nil {
		return err
	}
	n, err := e.each(ctx, func(item T) error { return out.Encode(item) })
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(map[string]any{"count": n, "sha256": hex.EncodeToString(sum.Sum(nil))})
}

// stamp is a moment in a cell.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
