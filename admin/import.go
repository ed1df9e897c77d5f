package admin

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/rows"
)

// maxMap limits the map of an import, bytes.
const maxMap = 1 << 20

// ImportView is an import that changed something.
type ImportView struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Digest   string    `json:"digest"`
	Partial  bool      `json:"partial"`
	Released bool      `json:"released"`
	Rows     int       `json:"rows"`
	Creates  int       `json:"creates"`
	Updates  int       `json:"updates"`
	Disables int       `json:"disables"`
	Enables  int       `json:"enables"`
}

// imports lists the latest imports of a source.
func (a *API) imports(r *http.Request, _ Caller) (any, error) {
	name := mux.Vars(r)["source"]
	if _, ok := a.Hub.Snapshot().Doc.Source(name); !ok {
		return nil, model.Fail(model.NotFound, "there is no source "+name, nil)
	}
	found, err := a.Hub.Store.Imports(r.Context(), name, 100)
	out := make([]ImportView, len(found))
	for i, f := range found {
		out[i] = ImportView{f.ID, f.At, f.Actor, f.Digest, f.Partial, f.Released, f.Rows, f.Creates, f.Updates, f.Disables, f.Enables}
	}
	return list(out, ""), err
}

// importRows takes text/csv, or application/x-ndjson with one object a line; or
// multipart/form-data with such a part named rows and, before or behind it, a YAML
// map named map. Parameters: partial, dry_run, digest (do nothing but this), release
// (let this pass the guard), file (a name for messages).
func (a *API) importRows(r *http.Request, c Caller) (any, error) {
	in, err := importQuestion(r.URL.Query())
	if err != nil {
		return nil, err
	}
	in.Source = mux.Vars(r)["source"]
	defer a.long.begin("import", in.Source, "rows are imported from "+in.Source, a.now())()
	allowed := rightOperate
	if in.Release != "" {
		allowed = rightDecide
	}
	if !in.DryRun && c.May(allowed) != nil {
		return nil, model.Fail(model.Forbidden, "the role "+c.Role+" may not do this: operators import, approvers release, and both may look (dry_run=true)", nil)
	}
	if in.Release != "" {
		if err := a.Hub.StillHere(r.Context(), c.who()); err != nil {
			return nil, err
		}
	}
	spool, err := os.CreateTemp("", "scimhub-import-*")
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	// Its name goes at once, so that a process that is killed leaves no people behind;
	// where a system does not take the name of an open file away, it goes in the end.
	unnamed := os.Remove(spool.Name()) == nil
	defer func() {
		_ = spool.Close()
		if !unnamed {
			_ = os.Remove(spool.Name())
		}
	}()
	if err := spoolImport(r, &in, spool); err != nil {
		return nil, err
	}
	size, err := spool.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	in.Open = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(spool, 0, size)), nil }
	return a.Hub.Import(r.Context(), hub.Actor{Name: c.Name}, in)
}

func importQuestion(q url.Values) (in hub.Import, err error) {
	for name := range q {
		if !slices.Contains([]string{"partial", "dry_run", "digest", "release", "file", "map_file"}, name) {
			return in, model.Fail(model.Invalid, fmt.Sprintf("there is no parameter %q: partial, dry_run, digest, release, file, map_file", name), nil)
		}
	}
	flag := func(name string) bool {
		text := q.Get(name)
		if text == "" {
			return false
		}
		v, e := strconv.ParseBool(text)
		if e != nil {
			err = model.Fail(model.Invalid, fmt.Sprintf("%s must be true or false, not %q", name, text), nil)
		}
		return v
	}
	in.Partial, in.DryRun = flag("partial"), flag("dry_run")
	in.Digest, in.Release = q.Get("digest"), q.Get("release")
	in.Name, in.MapName = q.Get("file"), q.Get("map_file")
	return in, err
}

// spoolImport puts the rows into a temporary file, because they are read more than
// once and need not fit into memory.
func spoolImport(r *http.Request, in *hub.Import, into io.Writer) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	if kind == "multipart/form-data" {
		err = readParts(multipart.NewReader(r.Body, params["boundary"]), in, into)
	} else {
		err = readRows(kind, "", r.Body, in, into)
	}
	if in.Name == "" {
		in.Name = map[rows.Format]string{rows.JSON: "rows.jsonl", rows.CSV: "rows.csv"}[in.Format]
	}
	if in.MapName == "" {
		in.MapName = "map.yaml"
	}
	return err
}

func readParts(parts *multipart.Reader, in *hub.Import, into io.Writer) error {
	had := false
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			if !had {
				return model.Fail(model.Invalid, "the request has no part named rows", nil)
			}
			return nil
		}
		if err != nil {
			return tooLarge(err)
		}
		switch p.FormName() {
		case "rows":
			if had {
				return model.Fail(model.Invalid, "the request has two parts named rows", nil)
			}
			had = true
			kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
			err = readRows(kind, p.FileName(), p, in, into)
		case "map":
			if in.Map, err = io.ReadAll(io.LimitReader(p, maxMap+1)); len(in.Map) > maxMap {
				err = model.Fail(model.Invalid, "the map is larger than 1 MiB", nil)
			}
			in.Map = append([]byte{}, in.Map...) // not nil: there is one
		default:
			err = model.Fail(model.Invalid, fmt.Sprintf("there is no part %q: rows, map", p.FormName()), nil)
		}
		if err != nil {
			return tooLarge(err)
		}
	}
}

// readRows copies the rows. How they are written is what their content type says or,
// for one that says nothing, the end of their name.
func readRows(kind, name string, r io.Reader, in *hub.Import, into io.Writer) error {
	if in.Name == "" {
		in.Name = name
	}
	switch kind {
	case "text/csv", "text/tab-separated-values":
		in.Format = rows.CSV
	case "application/x-ndjson", "application/jsonl", "application/json":
		in.Format = rows.JSON
	case "", "application/octet-stream", "text/plain":
		in.Format = FormatOf(in.Name)
	default:
		return model.Fail(model.Invalid, fmt.Sprintf("the content type must be text/csv, application/x-ndjson or multipart/form-data, not %q", kind), nil)
	}
	if _, err := io.Copy(into, r); err != nil {
		return tooLarge(err)
	}
	return nil
}

// FormatOf is how a file of this name is written.
func FormatOf(name string) rows.Format {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jsonl", ".ndjson", ".json":
		return rows.JSON
	}
	return rows.CSV
}

func tooLarge(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return model.Fail(model.Invalid, fmt.Sprintf("the import is larger than %d MiB; nothing was changed", maxImport>>20), err)
	}
	if _, ok := errors.AsType[*model.Error](err); ok {
		return err
	}
	return model.Fail(model.Invalid, "the request ended before all rows had come; nothing was changed", err)
}
