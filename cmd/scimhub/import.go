package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/rows"
)

// importFlags are those of the command import.
type importFlags struct {
	source, mapFile, release string
	partial, dryRun, yes     bool
}

func importCommand(c *client) *cobra.Command {
	var o output
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE --source SOURCE",
		Short: "Bring the people of a source in line with rows from an HR system",
		Long: `Reads CSV or JSON lines, compares them with the users that the source has, shows
the difference and carries it out: all of it, or nothing. Rows are the full set:
who is not in them is disabled, unless --partial is given. Without a map, columns
are SCIM paths. Exit code 2: --dry-run found differences; 3: refused by the guard of
the source, or the file was cut off.`,
		Example: "  scimhub import people.csv --source hr --map map.yaml --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.source == "" {
				return usageError{errors.New("--source is required: the source that the people belong to")}
			}
			if f.dryRun && f.release != "" {
				return usageError{errors.New("--dry-run changes nothing, so there is nothing to --release")}
			}
			return runImport(cmd, c, &o, f, args[0])
		},
	}
	o.flag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.source, "source", "", "the source that the people belong to")
	flags.StringVar(&f.mapFile, "map", "", "a YAML file that says how columns become attributes")
	flags.BoolVar(&f.partial, "partial", false, "the rows are not all people: disable nobody for being absent")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the difference and change nothing")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.StringVar(&f.release, "release", "", "let the difference with this digest pass the guard of the source")
	return cmd
}

func runImport(cmd *cobra.Command, c *client, o *output, f importFlags, path string) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	show := func(r hub.ImportResult) error {
		return o.print(out, r, func(w io.Writer) error { return printImport(w, r) })
	}
	if f.yes && !f.dryRun { // once over the wire is enough
		r, err := sendImport(ctx, c, f, path, false, "")
		if err != nil {
			return err
		}
		return show(r)
	}
	r, err := sendImport(ctx, c, f, path, true, "")
	if err != nil {
		return err
	}
	if f.dryRun || r.Differs() {
		if err := show(r); err != nil {
			return err
		}
	}
	switch {
	case f.dryRun && r.Differs():
		return exitCode{code: exitDiffers}
	case f.dryRun:
		return nil
	case r.Held != "" && f.release == "":
		return model.Fail(model.Refused, r.Held, nil)
	case f.release != "" && f.release != r.Digest:
		return model.Fail(model.Refused, fmt.Sprintf("the digest %q is not that of the difference as it is now (%s): look at it again, it may have changed", f.release, r.Digest), nil)
	}
	if r.Differs() && !confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), "carry this out?") {
		return exitCode{exitFailed, model.Fail(model.Invalid, "nothing was changed (--yes imports without asking)", nil)}
	}
	done, err := sendImport(ctx, c, f, path, false, r.Digest)
	if err != nil {
		return err
	}
	if r.Differs() {
		_, err = fmt.Fprintln(cmd.ErrOrStderr(), "import", done.ID, "done")
		return err
	}
	return show(done)
}

// sendImport sends file and map as they are read, so that neither has to fit into memory.
func sendImport(ctx context.Context, c *client, f importFlags, path string, dryRun bool, digest string) (r hub.ImportResult, err error) {
	if err := c.resolve(); err != nil {
		return r, err
	}
	c.http.Timeout = 0 // the interrupt key ends it
	var mapping []byte
	if f.mapFile != "" {
		if mapping, err = os.ReadFile(f.mapFile); err != nil {
			return r, model.Fail(model.Invalid, "the map cannot be read", err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return r, model.Fail(model.Invalid, "the file cannot be read", err)
	}
	defer file.Close()
	body, kind := importBody(file, filepath.Base(path), mapping)
	defer body.Close()
	flag := func(on bool) string { return map[bool]string{true: "true"}[on] }
	address := query("/sources/"+url.PathEscape(f.source)+"/import", "partial", flag(f.partial), "dry_run", flag(dryRun),
		"digest", digest, "release", f.release, "file", path, "map_file", f.mapFile)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+"/api/v1"+address, body)
	if err != nil {
		return r, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Idempotency-Key", uuid.NewString())
	req.Header.Set("Content-Type", kind)
	res, err := c.http.Do(req)
	if err != nil {
		return r, model.Fail(model.Unavailable, "the hub at "+c.server+" does not answer", errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		return r, problemOf(res)
	}
	if err := json.NewDecoder(res.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("the hub's answer cannot be read: %w", err)
	}
	return r, nil
}

// importBody is a form with the map, if there is one, and the rows.
func importBody(file io.Reader, name string, mapping []byte) (io.ReadCloser, string) {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		_ = w.CloseWithError(writeImport(form, file, name, mapping)) // told to whoever reads
	}()
	return r, form.FormDataContentType()
}

func writeImport(form *multipart.Writer, file io.Reader, name string, mapping []byte) error {
	if mapping != nil {
		part, err := form.CreateFormFile("map", "map.yaml")
		if err == nil {
			_, err = part.Write(mapping)
		}
		if err != nil {
			return err
		}
	}
	kind := "text/csv"
	if admin.FormatOf(name) == rows.JSON {
		kind = "application/x-ndjson"
	}
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="rows"; filename="rows"`}, "Content-Type": {kind}})
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, file); err != nil {
		return err
	}
	return form.Close()
}

func printImport(w io.Writer, r hub.ImportResult) error {
	marks := map[hub.ImportAction]string{hub.ImportCreate: "+", hub.ImportUpdate: "~", hub.ImportDisable: "-", hub.ImportEnable: "^"}
	counts := map[hub.ImportAction]int{hub.ImportCreate: r.Creates, hub.ImportUpdate: r.Updates, hub.ImportDisable: r.Disables, hub.ImportEnable: r.Enables}
	for _, action := range []hub.ImportAction{hub.ImportDisable, hub.ImportCreate, hub.ImportUpdate, hub.ImportEnable} {
		shown := 0
		for _, i := range r.Items {
			if i.Action != action {
				continue
			}
			shown++
			fmt.Fprintf(w, "%s %s %s (%s)%s\n", marks[action], action, dash(i.UserName), i.Key, importFields(i))
		}
		if more := counts[action] - shown; more > 0 {
			fmt.Fprintf(w, "  … and %d more to %s\n", more, action)
		}
	}
	for _, text := range r.Warnings {
		fmt.Fprintln(w, "warning:", text)
	}
	if r.Held != "" && !r.Applied {
		fmt.Fprintln(w, "held:", r.Held)
	}
	if !r.Differs() {
		_, err := fmt.Fprintf(w, "%d rows: nothing to do\n", r.Rows)
		return err
	}
	state := "digest " + r.Digest
	if r.Applied {
		state = "import " + r.ID + " done"
	}
	_, err := fmt.Fprintf(w, "%d rows: %d to create, %d to update, %d to disable, %d to enable; %s\n", r.Rows, r.Creates, r.Updates, r.Disables, r.Enables, state)
	return err
}

// importFields says what changes of a user who is there already.
func importFields(i hub.ImportItem) string {
	if i.Action != hub.ImportUpdate {
		return ""
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(i.Fields)) {
		pair, _ := i.Fields[name].(map[string]any)
		out = append(out, fmt.Sprintf("%s: %s → %s", name, shortJSON(pair["before"]), shortJSON(pair["after"])))
	}
	return " " + strings.Join(out, ", ")
}

// shortJSON is a value on a line, cut where it is long.
func shortJSON(v any) string {
	if v == nil {
		return "-"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if r := []rune(string(text)); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return string(text)
}
