package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

func planCommand(c *client) *cobra.Command {
	var o output
	var path, target, failOn, people string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change, without changing anything",
		Long: `Works out what every target would change: under the active configuration, or
under a new one with --config. Exit code 0: nothing; 2: changes; 3: more than
--fail-on allows.`,
		Example: "  scimhub plan --config new.yaml --fail-on 'removals>20 || findings>0'\n  scimhub plan --config new.yaml --people people.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			limits, err := parseFailOn(failOn)
			if err != nil {
				return usageError{err}
			}
			ask := func() (admin.PlanAnswer, error) { return askPlan(cmd.Context(), c, path, target) }
			if people != "" {
				ask = func() (admin.PlanAnswer, error) { return planOffline(path, people, target) }
			}
			answer, err := ask()
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error { return printPlan(w, answer) }); err != nil {
				return err
			}
			if over := exceeded(limits, answer); over != "" {
				return exitCode{exitRefused, errors.New(over)}
			}
			if !answer.Unchanged {
				return exitCode{code: exitDiffers}
			}
			return nil
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVarP(&path, "config", "c", "", "a new configuration (default: the active one)")
	cmd.Flags().StringVar(&target, "target", "", "only this target")
	cmd.Flags().StringVar(&people, "people", "", "without a hub: people from this file, which scimhub identity export writes")
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit 3 where a condition holds: 'removals>20 || findings>0'; of removals, additions, gained, lost, held, findings, people")
	return cmd
}

func askPlan(ctx context.Context, c *client, path, target string) (admin.PlanAnswer, error) {
	req := admin.PlanRequest{Target: target}
	if path != "" {
		text, err := readConfig(path)
		if err != nil {
			return admin.PlanAnswer{}, err
		}
		req.Config, req.Name = string(text), path
	}
	var answer admin.PlanAnswer
	err := c.call(ctx, "POST", "/plan", req, &answer)
	return answer, err
}

func applyCommand(c *client) *cobra.Command {
	var path string
	var yes bool
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Put a configuration in force after showing what it changes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := askPlan(cmd.Context(), c, path, "")
			if err != nil {
				return err
			}
			if err := printPlan(cmd.OutOrStdout(), answer); err != nil {
				return err
			}
			if !yes && !confirm(cmd.InOrStdin(), cmd.OutOrStdout(), "put this configuration in force?") {
				return exitCode{exitFailed, model.Fail(model.Invalid, "not applied (--yes applies without asking)", nil)}
			}
			text, err := readConfig(path)
			if err != nil {
				return err
			}
			var done admin.ApplyAnswer
			if err := c.call(cmd.Context(), "POST", "/config", admin.ApplyRequest{Config: string(text), Name: path, Base: answer.Base}, &done); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "configuration version %d is in force\n", done.Version)
			return nil
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "hub.yaml", "configuration file")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm asks; only the word yes is one.
func confirm(in io.Reader, out io.Writer, question string) bool {
	fmt.Fprint(out, question, " Only 'yes' does: ")
	line, _ := bufio.NewReader(in).ReadString('\n')
	return strings.TrimSpace(line) == "yes"
}
