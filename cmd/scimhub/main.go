// Command scimhub is the hub, its command line and its simulated applications in
// one program. This package is the only place that wires the others together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model"
)

// Exit codes, as the documentation promises them.
const (
	exitDone    = 0
	exitFailed  = 1
	exitDiffers = 2
	exitRefused = 3
	exitUsage   = 64
)

func main() { os.Exit(run()) }

// run is main for tests, too.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// execute runs one command line and says with which code to exit.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		if code.err != nil {
			printError(errOut, code.err)
		}
		return code.code
	}
	printError(errOut, err)
	if model.CodeOf(err) == model.Refused {
		return exitRefused
	}
	if isUsage(err) {
		return exitUsage
	}
	return exitFailed
}

// exitCode ends a command with a code of its own; err may be nil where everything
// was said already.
type exitCode struct {
	code int
	err  error
}

func (e exitCode) Error() string { return fmt.Sprint("exit ", e.code) }
func (e exitCode) Unwrap() error { return e.err }

// usageError is a wrong flag or argument.
type usageError struct{ error }

func isUsage(err error) bool {
	// cobra has no type for an unknown command
	return errors.As(err, new(usageError)) || strings.HasPrefix(err.Error(), "unknown command")
}

// printError writes each line of an error behind the program's name.
func printError(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(w, "scimhub:", visible(strings.TrimRight(line, "\n")))
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "scimhub",
		Short: "SCIM 2.0 identity hub: people in from HR and IdPs, the right access out to every application",
		Long: `scimhub takes Users and Groups over SCIM 2.0 from HR systems and identity
providers, turns people into roles by rules, and keeps every application in the
state that follows, over SCIM. Start with: scimhub demo`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c := &client{}
	root.PersistentFlags().StringVar(&c.server, "server", "", "address of the hub, http://host:port (default $SCIMHUB_SERVER, or the hub on this machine)")
	root.PersistentFlags().StringVar(&c.token, "token", "", "API token (default $SCIMHUB_TOKEN, or that of the hub on this machine)")
	root.AddCommand(serveCommand(), demoCommand(), appCommand(), applyCommand(c), planCommand(c), configCommand(c), replayCommand(c), explainCommand(c), policyCommand(c),
		targetCommand(c), sourceCommand(c), importCommand(c), identityCommand(c), requestCommand(c), reviewCommand(c), taskCommand(c), notifyCommand(c), tokenCommand(c), auditCommand(c), conflictCommand(c), findingCommand(c), versionCommand(), conformanceCommand())
	root.AddCommand(leaverCommand(c), runCommand(c), signInCommand(c), sessionCommand(c), statusCommand(c), readyCommand(c), evidenceCommand(c), migrateCommand(), benchCommand(), backupCommand(c), restoreCommand(), moveCommand(), rebuildCommand(c))
	wrapArgs(root)
	return root
}

// wrapArgs makes wrong arguments of every command a usage error.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}
