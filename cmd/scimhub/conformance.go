package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/conformance"
)

// conformanceFlags are those of the conformance command.
type conformanceFlags struct {
	o       conformance.Options
	headers []string
	output  string
	strict  bool
	list    bool
	verbose bool
	brief   bool
}

func conformanceCommand() *cobra.Command {
	f := &conformanceFlags{}
	cmd := &cobra.Command{
		Use:   "conformance URL",
		Short: "Test any SCIM server against the RFCs and against what its clients need",
		Long: `Sends requests to the SCIM service at URL, the address below which /Users is, and
says where it departs from RFC 7643, 7644 and 9865, or from what a profile's
clients rely on. Everything that it changes or removes it has made itself; names
begin with scimhub-conformance- and are at example.com. It clears up also when it
is interrupted, and names what it could not remove.

Exit code 0: nothing that MUST hold is broken; 2: there are findings (with --strict
also warnings, which are about SHOULD and MAY); 1: the service could not be tested.`,
		Example: `  scimhub conformance https://example.com/scim/v2 --token $TOKEN
  scimhub conformance http://127.0.0.1:8080/scim/v2 --token $TOKEN --profile entra --only patch,groups -o junit
  scimhub conformance --list --profile okta`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.list {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.o.Profile, "profile", "rfc", "whose expectations: "+strings.Join(conformance.Profiles(), ", "))
	flags.StringSliceVar(&f.o.Only, "only", nil, "only these groups or checks, separated by commas; a final * takes all that begin so")
	flags.StringSliceVar(&f.o.Skip, "skip", nil, "not these groups or checks")
	flags.StringVarP(&f.output, "output", "o", "text", "text, json or junit")
	flags.StringArrayVar(&f.headers, "header", nil, "a header for every request, such as 'X-Tenant: a' (repeatable)")
	flags.StringVar(&f.o.User, "user", "", "user name for HTTP Basic")
	flags.StringVar(&f.o.Password, "password", "", "password for HTTP Basic")
	flags.DurationVar(&f.o.Timeout, "timeout", conformance.DefaultTimeout, "longest time for one request")
	flags.DurationVar(&f.o.Limit, "limit", conformance.DefaultLimit, "longest time for the run")
	flags.BoolVar(&f.strict, "strict", false, "warnings count as findings")
	flags.BoolVar(&f.list, "list", false, "list the checks and end")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show passed checks too")
	flags.BoolVar(&f.brief, "brief", false, "findings without requests and answers")
	return cmd
}

// check finds what is wrong with the flags.
func (f *conformanceFlags) check() error {
	switch f.output {
	case "text", "json", "junit":
	default:
		return fmt.Errorf("-o must be text, json or junit, not %q", f.output)
	}
	if f.o.Timeout <= 0 || f.o.Limit <= 0 {
		return errors.New("--timeout and --limit must be longer than nothing")
	}
	f.o.Header = http.Header{}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \r\n") {
			return fmt.Errorf("--header %q must read: name, a colon, the value", name)
		}
		f.o.Header.Add(name, strings.TrimSpace(value))
	}
	return nil
}

func (f *conformanceFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	if f.list {
		if !slices.Contains(conformance.Profiles(), f.o.Profile) {
			return usageError{fmt.Errorf("--profile must be one of %s, not %q", strings.Join(conformance.Profiles(), ", "), f.o.Profile)}
		}
		return f.print(cmd.OutOrStdout())
	}
	f.o.URL, f.o.Now = args[0], time.Now
	f.o.Token, _ = cmd.Flags().GetString("token")
	if terminal(cmd.ErrOrStderr()) {
		f.o.Progress = progress(cmd.ErrOrStderr())
	}
	report, err := conformance.Run(cmd.Context(), f.o)
	if f.o.Progress != nil {
		fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
	}
	if err != nil {
		if errors.Is(err, conformance.ErrUnusable) {
			return err
		}
		return usageError{err}
	}
	if err := f.write(cmd.OutOrStdout(), report); err != nil {
		return err
	}
	switch {
	case report.Stopped != "":
		return exitCode{exitFailed, context.Cause(cmd.Context())}
	case report.Count(conformance.Fail) > 0, f.strict && report.Count(conformance.Warn) > 0:
		return exitCode{exitDiffers, nil}
	}
	return nil
}

func (f *conformanceFlags) write(w io.Writer, r *conformance.Report) error {
	switch f.output {
	case "json":
		return r.WriteJSON(w)
	case "junit":
		return r.WriteJUnit(w)
	}
	return r.WriteText(w, conformance.TextOptions{Color: terminal(w) && os.Getenv("NO_COLOR") == "", Verbose: f.verbose, Brief: f.brief})
}

// print lists the checks of the profile.
func (f *conformanceFlags) print(w io.Writer) error {
	list := conformance.List(f.o.Profile)
	if f.output == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"items": list})
	}
	rows := make([][]string, 0, len(list))
	for _, i := range list {
		rows = append(rows, []string{i.ID, string(i.Level), i.Reference, i.Title})
	}
	return columns(w, "CHECK LEVEL REFERENCE TITLE", rows)
}

// progress shows which check runs, on one line of a terminal.
func progress(w io.Writer) func(done, total int, id string) {
	return func(done, total int, id string) {
		fmt.Fprintf(w, "\r\x1b[K%d/%d %s", done, total, id)
	}
}

// terminal reports whether somebody watches.
func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
