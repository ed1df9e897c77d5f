package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// policyExportOptions are the flags of policy export.
type policyExportOptions struct {
	dir, config     string
	people, partial bool
	output
}

func policyExport(c *client) *cobra.Command {
	var o policyExportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the rules for a plain Casbin enforcer",
		Long: `Writes the roles, their rules, denials and inheritance as model.conf and policy.csv,
which any Casbin loads without functions of its own, and subject.json, which says what
a subject is made of. With --people also people.jsonl: everybody as a subject, with the
roles that rules and requests give them. Without --casbin it is shown and not written.

A role that cannot be exported is named with the reason; then nothing is written and
the exit code is 1, unless --partial asks for the others.`,
		Example: "  scimhub policy export --casbin casbin/ --people",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.people && (o.config != "" || o.dir == "") {
				return usageError{errors.New("--people needs --casbin, and people come from the hub: it cannot be given with --config")}
			}
			return o.run(cmd, c)
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&o.dir, "casbin", "", "directory to write to, made where it is missing")
	cmd.Flags().StringVarP(&o.config, "config", "c", "", "a configuration file (default: the active configuration of the hub)")
	cmd.Flags().BoolVar(&o.people, "people", false, "write everybody, too")
	cmd.Flags().BoolVar(&o.partial, "partial", false, "leave out roles that cannot be exported")
	return cmd
}

func (o *policyExportOptions) run(cmd *cobra.Command, c *client) error {
	answer, err := o.policy(cmd.Context(), c)
	if err != nil {
		return err
	}
	for _, left := range answer.Left {
		fmt.Fprintf(cmd.ErrOrStderr(), "scimhub: role %s cannot be exported: %s\n", left.Role, left.Reason)
	}
	if len(answer.Left) > 0 && !o.partial {
		return model.Fail(model.Invalid, "nothing was written; --partial leaves these roles out, and whatever else they give through inheritance", nil)
	}
	if o.dir == "" {
		return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "# --- model.conf\n%s\n# --- policy.csv\n%s", answer.Model, answer.Policy)
			return err
		})
	}
	subject, err := json.MarshalIndent(answer.Attributes, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return cannotWrite(err)
	}
	people := 0
	if o.people { // first: it is what may fail
		if people, err = o.writePeople(cmd.Context(), c, answer.Version); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"model.conf": answer.Model, "policy.csv": answer.Policy, "subject.json": string(subject) + "\n"} {
		if err := os.WriteFile(filepath.Join(o.dir, name), []byte(text), 0o644); err != nil {
			return cannotWrite(err)
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: model.conf, policy.csv with %d rows, subject.json", o.dir, strings.Count(answer.Policy, "\n"))
	if o.people {
		fmt.Fprintf(cmd.OutOrStdout(), ", people.jsonl with %d people", people)
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return nil
}

func cannotWrite(err error) error {
	return model.Fail(model.Invalid, "the export cannot be written", err)
}

// policy is the export: of a file, or of the active configuration.
func (o *policyExportOptions) policy(ctx context.Context, c *client) (answer admin.CasbinPolicy, err error) {
	if o.config == "" {
		err = c.call(ctx, "GET", "/policy/casbin", nil, &answer)
		return answer, err
	}
	snap, err := compileFile(o.config)
	if err != nil {
		return answer, err
	}
	x, err := snap.Policy.Casbin()
	if err != nil {
		return answer, err
	}
	return admin.ViewCasbin(snap.Version, x), nil
}

// writePeople writes everybody, a page at a time. The file is there when it is whole.
func (o *policyExportOptions) writePeople(ctx context.Context, c *client, version int64) (n int, err error) {
	path := filepath.Join(o.dir, "people.jsonl")
	file, err := os.CreateTemp(o.dir, ".people-*")
	if err != nil {
		return 0, cannotWrite(err)
	}
	defer func() { // after a rename there is nothing left of that name
		file.Close()
		os.Remove(file.Name())
	}()
	w := bufio.NewWriter(file)
	if n, err = copyPeople(ctx, c, w); err != nil {
		return n, err
	}
	after, err := o.policy(ctx, c)
	if err != nil {
		return n, err
	}
	if after.Version != version {
		return n, model.Fail(model.Conflict, fmt.Sprintf("configuration version %d came into force while people were exported under version %d: export again", after.Version, version), nil)
	}
	if err := errors.Join(w.Flush(), file.Chmod(0o600), file.Close()); err != nil {
		return n, cannotWrite(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return n, cannotWrite(err)
	}
	return n, nil
}

func copyPeople(ctx context.Context, c *client, w io.Writer) (n int, err error) {
	encoder := json.NewEncoder(w)
	for cursor := ""; ; {
		var page listOf[admin.PolicyPerson]
		if err := c.call(ctx, "GET", query("/policy/people", "limit", "1000", "cursor", cursor), nil, &page); err != nil {
			return n, err
		}
		for _, p := range page.Items {
			if err := encoder.Encode(p); err != nil {
				return n, cannotWrite(err)
			}
			n++
		}
		if cursor = page.Next; cursor == "" {
			return n, nil
		}
	}
}
