package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func auditVerify(c *client) *cobra.Command {
	var o output
	var files, keys []string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check the audit trail, or an export of it",
		Long: `Checks the hash chain and its signed checkpoints and reports every entry that was
changed, removed, added, moved or emptied. Whoever can write to the database could
rewrite all of it: a checkpoint that was kept elsewhere shows that, and so does a
signing key that is not in the database (audit.key). With FILE, an export in JSON
lines is checked without the hub.`,
		Example: `  scimhub audit verify --checkpoint last-month.json
  scimhub audit verify trail.jsonl --public-key 3b6a27bc…`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kept, err := readCheckpoints(files)
			if err != nil {
				return err
			}
			if _, err := admin.PublicKeys(keys); err != nil {
				return usageError{fmt.Errorf("--public-key: %w", err)}
			}
			if len(args) == 1 {
				return verifyFile(cmd, &o, args[0], keys, kept)
			}
			var answer admin.AuditAnswer
			if err := c.call(cmd.Context(), "POST", "/audit/verify", admin.AuditRequest{Checkpoints: kept, PublicKeys: keys}, &answer); err != nil {
				return err
			}
			err = o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				printFaults(w, answer.Faults)
				_, err := fmt.Fprintf(w, "%d entries checked, %d checkpoints compared, %d faults\n", answer.Checked, answer.Checkpoints, len(answer.Faults))
				if err == nil && !answer.Configured {
					_, err = fmt.Fprintln(w, "checkpoints are signed with the hub's own key, which is in its database: set audit.key, or keep checkpoints elsewhere")
				}
				return err
			})
			return verdict(err, answer.Faults)
		},
	}
	o.flag(cmd)
	cmd.Flags().StringArrayVar(&files, "checkpoint", nil, "a checkpoint that was kept elsewhere, as scimhub audit checkpoint printed it; may be given again")
	cmd.Flags().StringArrayVar(&keys, "public-key", nil, "a key whose checkpoints count, too, 64 hexadecimal digits; may be given again")
	return cmd
}

func readCheckpoints(files []string) (out []store.Checkpoint, err error) {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, model.Fail(model.Invalid, "the checkpoint cannot be read", err)
		}
		var c store.Checkpoint
		if err := json.Unmarshal(text, &c); err != nil {
			return nil, model.Fail(model.Invalid, file+" is no checkpoint as scimhub audit checkpoint prints it", err)
		}
		if _, err := c.Body(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// FileAnswer is what the verification of an export found.
type FileAnswer struct {
	Checked     int64              `json:"checked"`
	Checkpoints int                `json:"checkpoints"`
	Complete    bool               `json:"complete"` // the export leaves nothing out
	Faults      []store.AuditFault `json:"faults"`
}

func verifyFile(cmd *cobra.Command, o *output, path string, keys []string, kept []store.Checkpoint) error {
	public, err := admin.PublicKeys(keys)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return model.Fail(model.Invalid, "the export cannot be read", err)
	}
	defer file.Close()
	found, err := store.ReadAudit(file, public, kept)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	answer := FileAnswer{found.Checked, found.Checkpoints, found.Export.Complete, append([]store.AuditFault{}, found.Faults...)}
	err = o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
		printFaults(w, answer.Faults)
		_, err := fmt.Fprintf(w, "%d entries checked, %d checkpoints compared, %d faults\n", answer.Checked, answer.Checkpoints, len(answer.Faults))
		if err == nil && !answer.Complete {
			_, err = fmt.Fprintln(w, "the export is a part of the trail: entries that are not in it cannot be missed")
		}
		if err == nil && len(public) == 0 && answer.Checkpoints > 0 {
			_, err = fmt.Fprintln(w, "no --public-key was given: that the checkpoint is the hub's own is not shown")
		}
		return err
	})
	return verdict(err, answer.Faults)
}

func printFaults(w io.Writer, faults []store.AuditFault) {
	for _, f := range faults {
		fmt.Fprintf(w, "lane %d entry %d: %s\n", f.Lane, f.Seq, f.Message)
	}
}

// verdict is how a verification ends.
func verdict(err error, faults []store.AuditFault) error {
	if err == nil && len(faults) > 0 {
		return exitCode{code: exitDiffers}
	}
	return err
}
