package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/notify"
)

// wireSender makes what tells receivers of events.
func (i *instance) wireSender(registry *prometheus.Registry) error {
	m, err := notify.NewMetrics(registry)
	if err != nil {
		return err
	}
	i.sender = &notify.Sender{Store: i.store, Log: i.log, Metrics: m, Version: version, Current: func() *config.Document {
		if s := i.hub.Snapshot(); s != nil {
			return s.Doc
		}
		return nil
	}}
	return nil
}

func notifyCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Who is told what, and whether it arrived",
		Long: `The hub tells webhooks and people what happens, as notify in the configuration says.
What does not arrive is tried again for three days; a receiver that answers 410 is told
nothing more until it is elsewhere, or takes a test.`,
		Args: cobra.NoArgs, RunE: needsSub,
	}
	cmd.AddCommand(notifyList(c), notifyDeliveries(c), notifyReceivers(c), notifyRetry(c), notifyTest(c))
	return cmd
}

func notifyList(c *client) *cobra.Command {
	var kind, person string
	cmd := listing[admin.EventView]{
		use: "list", short: "List what happened and was to be told, the newest first", what: "events", head: "ID AT EVENT ABOUT TITLE",
		path: func([]string) (string, []string) { return "/notifications", []string{"type", kind, "for", person} },
		row: func(v admin.EventView) []string {
			return []string{v.ID, v.At.Format(time.RFC3339), v.Type, v.Subject, short(v.Title)}
		},
	}.command(c)
	cmd.Flags().StringVar(&kind, "type", "", "only events of this name")
	cmd.Flags().StringVar(&person, "for", "", "only about this person")
	return cmd
}

func notifyDeliveries(c *client) *cobra.Command {
	var receiver, state, event string
	cmd := listing[admin.DeliveryView]{
		use: "deliveries", short: "List events on their way to receivers, the newest first", what: "deliveries", head: "ID EVENT RECEIVER TO STATE ATTEMPTS NEXT ANSWER",
		path: func([]string) (string, []string) {
			return "/notifications/deliveries", []string{"receiver", receiver, "state", state, "event", event}
		},
		row: func(v admin.DeliveryView) []string {
			next := "-"
			if !v.Next.IsZero() {
				next = v.Next.Format(time.RFC3339)
			}
			return []string{v.ID, v.Type, v.Receiver, dash(v.To), v.State, strconv.Itoa(v.Attempts), next, dash(short(answered(v.Delivery)))}
		},
	}.command(c)
	cmd.Flags().StringVar(&receiver, "receiver", "", "only to this receiver")
	cmd.Flags().StringVar(&state, "state", "", "pending, done, failed or obsolete")
	cmd.Flags().StringVar(&event, "event", "", "only of the event with this id")
	return cmd
}

// answered is what the last attempt brought, in words.
func answered(d store.Delivery) string {
	if d.Status == 0 {
		return d.Answer
	}
	return strings.TrimSpace(strconv.Itoa(d.Status) + " " + d.Answer)
}

func notifyReceivers(c *client) *cobra.Command {
	return listing[admin.ReceiverView]{
		use: "receivers", short: "List who is told, and whether they can be reached", what: "receivers", head: "NAME KIND TO STATE PENDING FAILURES LAST-OK WHY",
		path: func([]string) (string, []string) { return "/notifications/receivers", nil },
		row: func(v admin.ReceiverView) []string {
			return []string{v.Name, v.Kind, v.To, v.State, strconv.Itoa(v.Pending), strconv.Itoa(v.Failures), moment(v.LastOK), dash(short(v.Why))}
		},
	}.command(c)
}

func notifyRetry(c *client) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "retry DELIVERY", Short: "Try a delivery again at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.DeliveryView
			if err := c.call(cmd.Context(), "POST", "/notifications/deliveries/"+url.PathEscape(args[0])+"/retry", nil, &v); err != nil {
				return err
			}
			return printDelivery(c, cmd, &o, v, 0)
		},
	}
	o.flag(cmd)
	return cmd
}

func notifyTest(c *client) *cobra.Command {
	var o output
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "test RECEIVER", Short: "Send a test to a receiver and say how it went", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v admin.DeliveryView
			if err := c.call(cmd.Context(), "POST", "/notifications/test", admin.NotifyTest{Receiver: args[0]}, &v); err != nil {
				return err
			}
			return printDelivery(c, cmd, &o, v, wait)
		},
	}
	o.flag(cmd)
	cmd.Flags().DurationVar(&wait, "wait", 20*time.Second, "how long to wait for the answer; 0: not at all")
	return cmd
}

// printDelivery follows a delivery until it was tried, or the time is over. What did not
// arrive is an error.
func printDelivery(c *client, cmd *cobra.Command, o *output, v admin.DeliveryView, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), wait)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for wait > 0 && v.State == store.DeliveryPending && v.Status == 0 && v.Answer == "" && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if err := c.call(cmd.Context(), "GET", "/notifications/deliveries/"+url.PathEscape(v.ID), nil, &v); err != nil {
				return err
			}
		}
	}
	err := o.print(cmd.OutOrStdout(), v, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %s %s\n", v.ID, v.State, answered(v.Delivery))
		return err
	})
	if err == nil && wait > 0 && v.State != store.DeliveryDone {
		return fmt.Errorf("the message has not arrived at %s: %s", v.Receiver, dash(answered(v.Delivery)))
	}
	return err
}
