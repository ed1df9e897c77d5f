package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
)

func runCommand(c *client) *cobra.Command {
	var o output
	var f drillFlags
	var ask admin.RunRequest
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "run PERSON", Short: "Work on one person now, and show every step", Args: cobra.ExactArgs(1),
		Long: `Decides about one person anew and brings their accounts into that state, at every
target or at one, saying at each step what happens: whether the connection works, by
what the account was found, why the person should be there or not, what changes from
what to what and whether that can be taken back, what was sent, what was answered and
what reading back showed. It goes through the target's guard, mode, protection and
pace like everything else does.

With --dry-run nothing is written, neither at the targets nor in the hub.

With --drill a test person, named in identity.drill, is treated as a leaver at every
target: their accounts are switched off and read back, then given back and read back
again. Nothing is ever deleted; targets where that could not be taken back are left
out and say why.

Exit code 0: done, or nothing to do; 1: something failed; 2: a dry run would change
something, an account was changed by hand, or a drill was late; 3: a guard, a mode, an
approval, a pause or a task for a person holds something, or the person of a drill is
no test person.`,
		Example: `  scimhub run mira@example.com --dry-run
  scimhub run mira@example.com --target git -o json
  scimhub run test@example.com --drill`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.drill {
				if ask.DryRun || ask.Target != "" {
					return usageError{fmt.Errorf("--drill is at every target and no dry run: leave --target and --dry-run out")}
				}
				return runDrill(cmd, c, &o, f, args[0])
			}
			if wait <= 0 || wait > admin.RunWaitMost {
				return usageError{fmt.Errorf("--wait must be from 1s to %s, not %s", admin.RunWaitMost, wait)}
			}
			ask.Wait = wait.String()
			var answer admin.RunAnswer
			if err := c.call(cmd.Context(), "POST", "/identities/"+url.PathEscape(args[0])+"/run", ask, &answer); err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error { return printRun(w, answer) }); err != nil {
				return err
			}
			return runExit(answer)
		},
	}
	o.flag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&ask.Target, "target", "", "only at this target")
	flags.BoolVar(&ask.DryRun, "dry-run", false, "write nothing: show what would be done")
	flags.DurationVar(&wait, "wait", time.Minute, "how long to wait for the end, at most 9m; what is under way goes on without being watched")
	f.flags(cmd)
	return cmd
}

// runExit is the exit code of a run.
func runExit(a admin.RunAnswer) error {
	code := exitDone
	for _, t := range a.Items {
		switch t.Outcome {
		case fanout.RunFailed:
			return exitCode{code: exitFailed}
		case fanout.RunHeld, fanout.RunPaused, fanout.RunWaits:
			code = exitRefused
		case fanout.RunDiffers, fanout.RunDrifted:
			if code == exitDone {
				code = exitDiffers
			}
		}
	}
	switch {
	case code == exitRefused && a.DryRun:
		code = exitDiffers // nothing was refused: nothing was asked for
	case code == exitDone && a.DryRun && !a.Decided.Empty():
		code = exitDiffers
	}
	if code == exitDone {
		return nil
	}
	return exitCode{code: code}
}

func printRun(w io.Writer, a admin.RunAnswer) error {
	how := ""
	if a.DryRun {
		how = "; dry run: nothing is written"
	}
	fmt.Fprintf(w, "%s is %s%s\n", printable(a.UserName), dash(string(a.Stage)), how)
	if !a.Decided.Empty() {
		printDecided(w, a)
	}
	for _, n := range a.Notes {
		fmt.Fprintf(w, "  note        %s\n", printable(n))
	}
	for _, t := range a.Items {
		state := ""
		if t.State != "" && string(t.State) != t.Outcome {
			state = " (" + string(t.State) + ")"
		}
		fmt.Fprintf(w, "%s: %s%s\n", t.Target, strings.ReplaceAll(t.Outcome, "_", " "), state)
		for _, s := range t.Steps {
			fmt.Fprintf(w, "  %-10s  %s\n", s.Step, printable(stepText(s)))
		}
	}
	return nil
}

func printDecided(w io.Writer, a admin.RunAnswer) {
	e := a.Decided
	if e.Before != e.After {
		fmt.Fprintf(w, "  decided     %s -> %s\n", dash(string(e.Before)), e.After)
	}
	for _, r := range e.Gained {
		fmt.Fprintf(w, "  decided     + role %s because %s\n", r.Role, printable(strings.Join(r.Because, "; ")))
	}
	for _, r := range e.Lost {
		fmt.Fprintf(w, "  decided     - role %s, held because %s\n", r.Role, printable(strings.Join(r.Because, "; ")))
	}
}

// stepText is a step on one line.
func stepText(s fanout.RunStep) string {
	if s.Method == "" {
		return s.Text
	}
	text := s.Method + " " + s.Path
	if len(s.Attributes) > 0 {
		text += " [" + strings.Join(s.Attributes, ", ") + "]"
	}
	return text + ": " + s.Text
}
