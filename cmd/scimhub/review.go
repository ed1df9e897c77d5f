package main

import (
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

func reviewCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "review",
		Short: "Access reviews: start them, decide, close them, hand out the evidence",
		Long: `An access review asks people whether others still need what they have. It looks at
what is in its scope when it starts; who is asked decides about each item: keep, revoke,
or until=DATE. What is revoked is taken away as everything is, by evaluation and the
worker of each target, and the item says when the target was seen without it.`,
		Args: cobra.NoArgs, RunE: needsSub,
	}
	cmd.AddCommand(reviewStart(c), reviewList(c), reviewShow(c), reviewInbox(c), reviewDecide(c), reviewClose(c), reviewReport(c), reviewExport(c), reviewExclusions(c))
	return cmd
}

func reviewStart(c *client) *cobra.Command {
	var o output
	var in admin.ReviewStart
	var escalate, after string
	cmd := &cobra.Command{
		Use: "start", Short: "Start an access review; prints its id", Args: cobra.NoArgs,
		Example: `  scimhub review start --target git --reviewer manager --due 14d
  scimhub review start --role prod-admin --reviewer role:security --due 2027-04-30 --undecided revoke`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if escalate != "" {
				in.Escalate = &admin.ReviewEscalation{After: after, To: strings.Split(escalate, ",")}
			}
			var v admin.ReviewView
			if err := c.call(cmd.Context(), "POST", "/reviews", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: due %s\n", v.Name, moment(&v.Due))
				_, err := fmt.Fprintln(w, v.ID)
				return err
			})
		},
	}
	o.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&in.Role, "role", "", "who holds this role")
	f.StringVar(&in.Target, "target", "", "who has access to this target")
	f.StringVar(&in.Group, "group", "", "with --target: who is in this group there")
	f.StringVar(&in.Manager, "manager", "", "the reports of this person")
	f.StringSliceVar(&in.People, "person", nil, "what this person has (may be given several times)")
	f.StringVar(&in.Risk, "risk", "", "roles of this risk: low, medium or high")
	f.BoolVar(&in.Exceptions, "exceptions", false, "people who hold conflicting roles by an exception")
	f.StringVar(&in.Moved, "moved", "", "people who moved since a date, or in the last 30d")
	f.StringVar(&in.Unused, "unused", "", "what was not used for so long, where that is known")
	f.BoolVar(&in.Orphans, "orphans", false, "with --target: accounts that are nobody's")
	f.StringVar(&in.Reviewer, "reviewer", "manager", "who decides: manager, owner, role:NAME or a userName")
	f.StringVar(&in.Due, "due", "14d", "how long they have, or until when")
	f.StringVar(&in.Name, "name", "", "what it is called (default its scope)")
	f.StringVar(&in.Reason, "reason", "", "why it is held")
	f.StringVar(&in.Remind, "remind", "", "how often who has not decided is reminded")
	f.StringVar(&escalate, "escalate", "", "who is asked, too, if nobody decides: reviewers, with commas between")
	f.StringVar(&after, "escalate-after", "7d", "how long before they are")
	f.StringVar(&in.Undecided, "undecided", "", "what becomes of what nobody decides: keep (default), revoke or escalate")
	return cmd
}

func reviewList(c *client) *cobra.Command {
	var state string
	var waiting bool
	cmd := listing[admin.ReviewView]{
		use: "list", short: "List access reviews, the newest first", what: "reviews", head: "ID NAME STATE DUE ITEMS PENDING KEPT REVOKED OPEN",
		path: func([]string) (string, []string) {
			return "/reviews", []string{"state", state, "waiting", flagged(waiting)}
		},
		row: func(v admin.ReviewView) []string {
			n := v.Counts
			return []string{v.ID, v.Name, string(v.State), moment(&v.Due), number(n.Items), number(n.Pending), number(n.Kept + n.Ending + n.Undecided), number(n.Revoked),
				number(n.Revoking + n.Evaluated)}
		},
	}.command(c)
	cmd.Flags().StringVar(&state, "state", "", "only active, preparing, open, moving, closing or closed ones")
	cmd.Flags().BoolVar(&waiting, "waiting", false, "only those with items that wait for you")
	return cmd
}

// number is a count as text.
func number(n int64) string { return strconv.FormatInt(n, 10) }

// shownReview is a review with a page of its items.
type shownReview struct {
	admin.ReviewView
	Items []admin.ReviewItemView `json:"items"`
	Next  string                 `json:"next,omitempty"`
}

func reviewShow(c *client) *cobra.Command {
	var o output
	var state, reviewer, person, cursor string
	var mine bool
	limit := 100
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a review and its items", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v shownReview
			path := "/reviews/" + url.PathEscape(args[0])
			if err := c.call(cmd.Context(), "GET", path, nil, &v.ReviewView); err != nil {
				return err
			}
			var items listOf[admin.ReviewItemView]
			if err := c.call(cmd.Context(), "GET", query(path+"/items", "state", state, "reviewer", reviewer, "person", person, "mine", flagged(mine), "cursor", cursor, "limit", strconv.Itoa(limit)), nil, &items); err != nil {
				return err
			}
			v.Items, v.Next = items.Items, items.Next
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printReview(w, v) })
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&state, "state", "", "only items in this state: pending, kept, revoking, …")
	cmd.Flags().StringVar(&reviewer, "reviewer", "", "only items that this person, or role:NAME, can decide")
	cmd.Flags().StringVar(&person, "person", "", "only items about this person")
	cmd.Flags().BoolVar(&mine, "mine", false, "only items that wait for you")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where the previous page ended")
	cmd.Flags().IntVar(&limit, "limit", 100, "items on a page, at most 500")
	return cmd
}

func printReview(w io.Writer, v shownReview) error {
	fmt.Fprintf(w, "%s (%s): %s\n%s, due %s, %d of %d items wait\n", v.Name, v.ID, v.State, v.About, moment(&v.Due), v.Counts.Pending, v.Counts.Items)
	rows := make([][]string, len(v.Items))
	for i, item := range v.Items {
		rows[i] = reviewItemRow(item)
	}
	if err := columns(w, reviewItemHead, rows); err != nil || v.Next == "" {
		return err
	}
	_, err := io.WriteString(w, "more: --cursor "+v.Next+"\n")
	return err
}

const reviewItemHead = "ITEM PERSON WHAT STATE DECISION RECOMMENDED WAITS_FOR WHY"

func reviewItemRow(i admin.ReviewItemView) []string {
	what := i.Role
	if what == "" {
		what = i.Target + ":" + i.Group
	}
	decision := "-"
	if d := i.Decision; d != nil {
		decision = d.Verdict + " by " + d.By
		if d.Until != nil {
			decision = "until " + moment(d.Until) + " by " + d.By
		}
	}
	waits := strings.Join(i.WaitsFor, ",")
	if i.Nobody != "" {
		waits = "nobody: " + i.Nobody
	}
	return []string{i.ID, i.Person, what, string(i.State), decision, dash(i.Hints.Recommend), dash(waits), short(strings.Join(i.Access.Why, "; "))}
}

func reviewInbox(c *client) *cobra.Command {
	return listing[admin.ReviewItemView]{
		use: "inbox", short: "List what waits for your decision, of all reviews", what: "items", head: "REVIEW " + reviewItemHead,
		path: func([]string) (string, []string) { return "/reviews/inbox", nil },
		row:  func(i admin.ReviewItemView) []string { return append([]string{i.Review}, reviewItemRow(i)...) },
	}.command(c)
}

func reviewDecide(c *client) *cobra.Command {
	var o output
	var in admin.ReviewDecide
	cmd := &cobra.Command{
		Use: "decide ID ITEM keep|revoke|until=DATE", Short: "Decide about one item of a review", Args: cobra.ExactArgs(3),
		Example: `  scimhub review decide 0196… 0196… revoke --reason "changed team"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Decision = args[2]; in.Decision != model.VerdictKeep && in.Decision != model.VerdictRevoke && !strings.HasPrefix(in.Decision, "until=") {
				return usageError{fmt.Errorf("the decision is keep, revoke or until=DATE, not %q", in.Decision)}
			}
			var v admin.ReviewItemView
			if err := c.call(cmd.Context(), "POST", "/reviews/"+url.PathEscape(args[0])+"/items/"+url.PathEscape(args[1])+"/decide", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				row := reviewItemRow(v)
				_, err := fmt.Fprintf(w, "%s of %s: %s\n", row[2], row[1], row[3])
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why; needed to revoke, and to keep what is recommended to be revoked")
	return cmd
}

func reviewClose(c *client) *cobra.Command {
	var o output
	var in admin.ReviewClose
	cmd := &cobra.Command{
		Use: "close ID", Short: "Close a review", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.ReviewView
			if err := c.call(cmd.Context(), "POST", "/reviews/"+url.PathEscape(args[0])+"/close", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s\n", v.Name, v.State)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().BoolVar(&in.Force, "force", false, "though not everything is decided and there is time left")
	cmd.Flags().StringVar(&in.Undecided, "undecided", "", "what becomes of what nobody decided: keep or revoke (default as the review says)")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why; needed with --force")
	return cmd
}

func reviewReport(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "report ID", Short: "Show what a review came to: counts, reviewers, what is open, what an auditor should look at", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.ReviewReport
			if err := c.call(cmd.Context(), "GET", "/reviews/"+url.PathEscape(args[0])+"/report", nil, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error { return printReviewReport(w, v) })
		},
	}
	o.flag(cmd)
	return cmd
}

func printReviewReport(w io.Writer, v admin.ReviewReport) error {
	n := v.Review.Counts
	rows := [][]string{{"review", v.Review.Name}, {"state", string(v.Review.State)}, {"items", number(n.Items)}, {"kept", number(n.Kept)}, {"until a date", number(n.Ending)},
		{"revoked, verified", number(n.Revoked)}, {"revoked, open", number(n.Revoking + n.Evaluated)}, {"gone before", number(n.Gone)}, {"undecided", number(n.Undecided + n.Pending)}}
	for _, p := range v.Reviewers {
		rows = append(rows, []string{"by " + p.Reviewer, fmt.Sprintf("%d decided: %d keep, %d revoke, %d until a date", p.Decided, p.Keep, p.Revoke, p.Until)})
	}
	for _, f := range v.Flags {
		rows = append(rows, []string{"look at", f})
	}
	if v.Digest != "" {
		rows = append(rows, []string{"digest", v.Digest})
	}
	return columns(w, "FACT VALUE", rows)
}

func reviewExport(c *client) *cobra.Command {
	var format, file string
	cmd := &cobra.Command{
		Use: "export ID", Short: "Write all items of a review with their decisions", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if format != "json" && format != "csv" {
				return usageError{fmt.Errorf("-o must be json or csv, not %q", format)}
			}
			out := cmd.OutOrStdout()
			if file != "" {
				f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
				if err != nil {
					return model.Fail(model.Invalid, "the export cannot be written", err)
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				out = f
			}
			return c.download(cmd.Context(), query("/reviews/"+url.PathEscape(args[0])+"/export", "format", format), out)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "csv", "csv or json")
	cmd.Flags().StringVar(&file, "file", "", "write to a new file instead of the output")
	return cmd
}

func reviewExclusions(c *client) *cobra.Command {
	var person string
	var ended bool
	cmd := listing[admin.ExclusionView]{
		use: "exclusions", short: "List what reviewers keep from people", what: "exclusions", head: "ID PERSON WHAT FROM BY REASON ENDED",
		path: func([]string) (string, []string) {
			return "/reviews/exclusions", []string{"person", person, "ended", flagged(ended)}
		},
		row: func(e admin.ExclusionView) []string {
			what := e.Role
			if what == "" {
				what = e.Target + ":" + e.Group
			}
			return []string{e.ID, e.Person, what, moment(&e.From), e.By, dash(e.Reason), dash(e.EndedWhy)}
		},
	}.command(c)
	cmd.Flags().StringVar(&person, "person", "", "only from this person")
	cmd.Flags().BoolVar(&ended, "ended", false, "those that have ended, too")
	cmd.AddCommand(reviewGiveBack(c))
	return cmd
}

func reviewGiveBack(c *client) *cobra.Command {
	var o output
	var in admin.ExclusionEnd
	cmd := &cobra.Command{
		Use: "end ID", Short: "Let somebody have again what a reviewer took away", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.ExclusionView
			if err := c.call(cmd.Context(), "POST", "/reviews/exclusions/"+url.PathEscape(args[0])+"/end", in, &v); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s of %s is no longer kept away\n", dash(v.Role), v.Person)
				return err
			})
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why (needed)")
	return cmd
}
