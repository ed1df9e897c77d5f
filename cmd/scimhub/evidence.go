package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

func evidenceCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use: "evidence", Short: "Answer an auditor: who had access and why, what changed, who left and how fast", Args: cobra.NoArgs, RunE: needsSub,
		Long: `Each answer has a head (the hub, the version of the configuration, when and by whom it
was made, the signed checkpoint of the audit trail that it rests on) and a SHA-256.
As a table a page is shown; -o csv, -o jsonl and --file write all of it.`,
	}
	cmd.AddCommand(evidenceAccess(c), evidencePerson(c), evidenceConflicts(c), evidenceLeavers(c), evidenceReview(c))
	return cmd
}

// evidenceOutput is how an answer is wanted.
type evidenceOutput struct {
	format, file, cursor string
	limit                int
}

func (o *evidenceOutput) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "table, json or yaml: one page; csv or jsonl: all of it")
	cmd.Flags().StringVar(&o.file, "file", "", "write to a new file instead of the output")
	cmd.Flags().StringVar(&o.cursor, "cursor", "", "go on where the previous page ended")
	cmd.Flags().IntVar(&o.limit, "limit", 100, "lines on a page, at most 500")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch o.format {
		case "table", "json", "yaml", "csv", "jsonl":
			return nil
		}
		return usageError{fmt.Errorf("-o must be table, json, yaml, csv or jsonl, not %q", o.format)}
	}
}

// printEvidence asks and prints: a page, or all of it as a stream.
func printEvidence[T any](cmd *cobra.Command, c *client, o evidenceOutput, path string, asked []string, head string, row func(T) []string) (err error) {
	out := cmd.OutOrStdout()
	if o.file != "" {
		f, err := os.OpenFile(o.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return model.Fail(model.Invalid, "the evidence cannot be written", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	if o.format == "csv" || o.format == "jsonl" {
		return c.download(cmd.Context(), query(path, append(asked, "format", o.format)...), out)
	}
	var raw json.RawMessage
	if err := c.call(cmd.Context(), "GET", query(path, append(asked, "cursor", o.cursor, "limit", strconv.Itoa(o.limit))...), nil, &raw); err != nil {
		return err
	}
	shown := output{format: o.format}
	return shown.print(out, raw, func(w io.Writer) error {
		var answer admin.Evidence[T]
		if err := json.Unmarshal(raw, &answer); err != nil {
			return fmt.Errorf("the hub's answer cannot be read: %w", err)
		}
		return printPage(w, answer, head, row)
	})
}

func printPage[T any](w io.Writer, answer admin.Evidence[T], head string, row func(T) []string) error {
	fmt.Fprintf(w, "%s\n", answer.Head.Question)
	rows := make([][]string, len(answer.Items))
	for i, item := range answer.Items {
		rows[i] = row(item)
	}
	if err := columns(w, head, rows); err != nil {
		return err
	}
	if answer.Next != "" {
		fmt.Fprintf(w, "more: --cursor %s\n", answer.Next)
	}
	rests := "no checkpoint of the audit trail yet"
	if p := answer.Head.Checkpoint; p != nil {
		rests = fmt.Sprintf("checkpoint %d of the audit trail", p.Seq)
	}
	_, err := fmt.Fprintf(w, "%d lines, configuration %d, %s, sha256 %s\n", answer.Count, answer.Head.Version, rests, answer.Digest)
	return err
}

func evidenceAccess(c *client) *cobra.Command {
	var o evidenceOutput
	var target, role, at, from, until string
	var all bool
	cmd := &cobra.Command{
		Use: "access", Short: "Who had access to a target, a group there or a role, at a moment or between two, and why", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, group, _ := strings.Cut(target, ":")
			asked := []string{"target", name, "group", group, "role", role, "at", at, "from", from, "until", until}
			if all {
				asked = append(asked, "all", "true")
			}
			return printEvidence(cmd, c, o, "/evidence/access", asked, "PERSON TARGET GROUP ROLE SINCE UNTIL APPROVED_BY WHY NOTE", func(e admin.AccessEvidence) []string {
				var why []string
				for _, b := range e.Because {
					why = append(why, b.Text)
				}
				name := e.UserName
				if name == "" {
					name = e.Identity
				}
				since, until := e.Since, e.Until
				if e.AccessFrom != nil {
					since = e.AccessFrom
				}
				if e.AccessUntil != nil {
					until = e.AccessUntil
				}
				return []string{name, dash(e.Target), dash(e.Group), dash(e.Role), moment(since), moment(until), dash(e.ApprovedBy), dash(short(strings.Join(why, "; "))), dash(e.Note)}
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&target, "target", "", "TARGET or TARGET:GROUP")
	cmd.Flags().StringVar(&role, "role", "", "by this role; without --target whoever held it")
	cmd.Flags().StringVar(&at, "at", "", "the moment: 2027-03-03, 2027-03-03T10:00:00Z or -720h; default now")
	cmd.Flags().StringVar(&from, "from", "", "at any time since then")
	cmd.Flags().StringVar(&until, "until", "", "and until then; default now")
	cmd.Flags().BoolVar(&all, "all", false, "also what was due and not there, or there and let nobody in")
	return cmd
}

func evidencePerson(c *client) *cobra.Command {
	var o evidenceOutput
	var from, until string
	cmd := &cobra.Command{
		Use: "person PERSON", Short: "Everything that changed for a person, and by whom", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printEvidence(cmd, c, o, "/evidence/person/"+url.PathEscape(args[0]), []string{"from", from, "until", until}, "AT KIND WHAT ACTOR TEXT", func(e admin.ChangeEvidence) []string {
				return []string{moment(&e.At), e.Kind, e.What, dash(e.Actor), short(e.Text)}
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "the first moment: 2027-03-03, 2027-03-03T10:00:00Z or -720h")
	cmd.Flags().StringVar(&until, "until", "", "the last moment")
	return cmd
}

func evidenceConflicts(c *client) *cobra.Command {
	var o evidenceOutput
	cmd := &cobra.Command{
		Use: "conflicts", Short: "Roles that nobody should hold together, who does, and who allowed it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printEvidence(cmd, c, o, "/evidence/conflicts", nil, "CONFLICT ROLES ACTION PERSON HOLDS SINCE WHAT", func(e admin.ConflictEvidence) []string {
				return []string{e.Conflict, strings.Join(e.Roles, ","), e.Action, dash(e.UserName), dash(strings.Join(e.Holds, ",")), moment(e.Since), dash(e.Message)}
			})
		},
	}
	o.flags(cmd)
	return cmd
}

func evidenceLeavers(c *client) *cobra.Command {
	var o evidenceOutput
	var from, until string
	cmd := &cobra.Command{
		Use: "leavers", Short: "How long leavers kept access at each target", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printEvidence(cmd, c, o, "/evidence/leavers", []string{"from", from, "until", until}, "PERSON RECEIVED TARGET STATE VERIFIED SECONDS GOAL OVER", func(e admin.LeaverEvidence) []string {
				seconds := "-"
				if e.Seconds != nil {
					seconds = strconv.FormatFloat(*e.Seconds, 'f', 1, 64)
				}
				return []string{dash(e.UserName), moment(&e.Received), dash(e.Target), dash(string(e.State)), moment(e.Verified), seconds, dash(e.Goal), strconv.FormatBool(e.OverGoal)}
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "whose fact came at this moment or later")
	cmd.Flags().StringVar(&until, "until", "", "and before this one")
	return cmd
}

func evidenceReview(c *client) *cobra.Command {
	var o evidenceOutput
	cmd := &cobra.Command{
		Use: "review ID", Short: "What was decided in an access review, by whom, and what became of it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printEvidence(cmd, c, o, "/evidence/reviews/"+url.PathEscape(args[0]), nil, "PERSON ROLE TARGET STATE VERDICT BY AT REASON", func(i model.ReviewItem) []string {
				verdict, by, at, reason := "-", "-", "-", "-"
				if d := i.Decision; d != nil {
					verdict, by, at, reason = d.Verdict, dash(d.By), moment(&d.At), dash(short(d.Reason))
				}
				return []string{i.Person, dash(i.Role), dash(strings.TrimSuffix(i.Target+":"+i.Group, ":")), string(i.State), verdict, by, at, reason}
			})
		},
	}
	o.flags(cmd)
	return cmd
}
