package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
)

func tokenCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list, rotate and revoke the tokens that sources, clients of the proxy and of the API come in with",
		Long: `Tokens beside those of the configuration file. A token is shown once,
when it is made; the hub keeps a hash of it. Changes are in force on all replicas
within a second.`,
		Args: cobra.NoArgs, RunE: needsSub,
	}
	cmd.AddCommand(tokenCreate(c), tokenList(c), tokenRotate(c), tokenRevoke(c))
	return cmd
}

func tokenCreate(c *client) *cobra.Command {
	var o output
	var in admin.TokenRequest
	var targets []string
	cmd := &cobra.Command{
		Use: "create SOURCE | --target TARGET | --role ROLE", Short: "Make a token and show it, this once", Args: cobra.MaximumNArgs(1),
		Long: `Makes a token that a source comes in with, or with --target one that a client of the
proxy comes in with, good for that one target and for what --may names: read, write,
remove (switch off and delete), managed (do so to what the hub looks after, too).
With --role it is one of the API, of the role admin, operator, approver, auditor or
person, which has an end, and may be limited to some of the role's rights (--scope) and
to some targets (--target).`,
		Example: `  scimhub token create hr --expires 180d
  scimhub token create --role auditor --name siem --expires 90d --scope read
  scimhub token create --target git --may read,write`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := whatFor(&in, args, targets); err != nil {
				return err
			}
			return o.callToken(cmd, c, "/tokens", in)
		},
	}
	o.flag(cmd)
	cmd.Flags().StringSliceVar(&targets, "target", nil, "make a token of the proxy for this target; with --role: the only targets it may call")
	cmd.Flags().StringVar(&in.Role, "role", "", "make a token of the API with this role: admin, operator, approver, auditor or person")
	cmd.Flags().StringSliceVar(&in.Scope, "scope", nil, "with --role: the rights it is limited to, such as read, decide, ask (default all of the role)")
	cmd.Flags().StringVar(&in.Person, "person", "", "with --role: whom it acts for, by user name or id")
	cmd.Flags().StringSliceVar(&in.May, "may", nil, "what a token of the proxy may do: read, write, remove, managed (default read)")
	cmd.Flags().StringVar(&in.Name, "name", "", "name of the token, for the audit trail (default token, token-2, …)")
	cmd.Flags().StringVar(&in.Expires, "expires", "", "date, time or duration from now, such as 90d (default never; with --role one is needed)")
	return cmd
}

// whatFor says what a new token is for: one source, one target of the proxy, or the API.
func whatFor(in *admin.TokenRequest, args, targets []string) error {
	switch {
	case in.Role != "" && len(args) == 0:
		in.Targets = targets
	case in.Role != "":
		return usageError{errors.New("a token of the API (--role) is of no source")}
	case (len(args) == 1) == (len(targets) > 0) || len(targets) > 1:
		return usageError{errors.New("name a source, one target with --target, or a role of the API with --role")}
	case len(in.Scope) > 0 || in.Person != "":
		return usageError{errors.New("--scope and --person are for tokens of the API: give --role, too")}
	case len(args) == 1:
		in.Source = args[0]
	default:
		in.Target = targets[0]
	}
	return nil
}

func tokenRotate(c *client) *cobra.Command {
	var o output
	var in admin.TokenRequest
	var overlap string
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Give a token a new secret and show it, this once; the present one stays valid for a while",
		Long: `Gives a token a new secret. The present one stays valid for --overlap, so that the
source can be changed over without a gap. While it is, the token cannot be rotated
again: at most two secrets are valid.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Overlap = &overlap
			return o.callToken(cmd, c, "/tokens/"+url.PathEscape(args[0])+"/rotate", in)
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&overlap, "overlap", "24h", "how long the present secret stays valid; 0 ends it now")
	cmd.Flags().StringVar(&in.Expires, "expires", "", "date, time or duration from now (default as long as before)")
	return cmd
}

func tokenRevoke(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End a token now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.callToken(cmd, c, "/tokens/"+url.PathEscape(args[0])+"/revoke", nil)
		},
	}
	o.flag(cmd)
	return cmd
}

// callToken sends a change and shows the token it concerns.
func (o *output) callToken(cmd *cobra.Command, c *client, path string, in any) error {
	var v admin.TokenView
	if err := c.call(cmd.Context(), "POST", path, in, &v); err != nil {
		return err
	}
	return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
		rows := [][]string{{"id", v.ID}, {"for", tokenFor(v)}, {"name", v.Name}, {"state", v.State}, {"expires", moment(v.Expires)}}
		if v.PreviousUntil != nil {
			rows = append(rows, []string{"previous", "valid until " + moment(v.PreviousUntil)})
		}
		if v.Secret != "" {
			rows = append(rows, []string{"token", v.Secret})
		}
		if err := columns(w, "FACT VALUE", rows); err != nil || v.Secret == "" {
			return err
		}
		_, err := fmt.Fprintln(w, "The token is not shown again.")
		return err
	})
}

// tokenFor says whom a token lets in where.
func tokenFor(v admin.TokenView) string {
	if v.Role != "" {
		text := "API as " + v.Role
		if len(v.Scope) > 0 {
			text += " (" + strings.Join(v.Scope, ", ") + ")"
		}
		if len(v.Targets) > 0 {
			text += " at " + strings.Join(v.Targets, ", ")
		}
		return text
	}
	if v.Target == "" {
		return v.Source
	}
	return "target " + v.Target + " (" + strings.Join(v.May, ", ") + ")"
}

func tokenList(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "list [SOURCE]", Short: "List tokens, never their secrets", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			source := ""
			if len(args) > 0 {
				source = args[0]
			}
			answer, err := everyPage[admin.TokenView](cmd.Context(), c, "/tokens", "source", source)
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer) error {
				rows := make([][]string, len(answer.Items))
				for i, v := range answer.Items {
					rows[i] = []string{v.ID, tokenFor(v), v.Name, v.State, moment(&v.Created), moment(v.Expires), dash(v.LastUsed)}
				}
				return columns(w, "ID FOR NAME STATE CREATED EXPIRES LAST_USED", rows)
			})
		},
	}
	o.flag(cmd)
	return cmd
}
