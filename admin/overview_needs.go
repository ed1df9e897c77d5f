package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// needs gathers what needs somebody.
type needs struct {
	list []Need
	now  time.Time
}

func (n *needs) add(need Need, t store.Tally) {
	if t.N == 0 {
		return
	}
	need.Count, need.More = t.N, t.More
	if need.Oldest == nil {
		need.Oldest = t.Oldest
	}
	n.list = append(n.list, need)
}

// counted is a number in words: 3 people, more than 1000 people, 1 person.
func counted(t store.Tally, one, many string) string {
	switch {
	case t.More:
		return fmt.Sprintf("more than %d %s", t.N, many)
	case t.N == 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", t.N, many)
}

// sorted puts the most urgent first, of these the kinds in a fixed order.
func (n *needs) sorted() []Need {
	rank := map[string]int{SeverityCritical: 0, SeverityWarning: 1, SeverityInfo: 2}
	slices.SortStableFunc(n.list, func(a, b Need) int {
		return cmp.Or(rank[a.Severity]-rank[b.Severity], cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
	return slices.Concat([]Need{}, n.list)
}

// tallied are the needs of the hub as a whole.
func (n *needs) tallied(t store.Tallies) {
	n.add(Need{Kind: NeedLeaverLate, Severity: SeverityCritical, Text: counted(t.LeaversLate, "person has", "people have") + " left and may still have access, beyond the goal", Link: "/leavers?open=true", API: "/leavers?open=true"}, t.LeaversLate)
	n.add(Need{Kind: NeedLeaverAtRisk, Severity: SeverityWarning, Text: counted(t.LeaversAtRisk, "leaver's goal is", "leavers' goals are") + " at risk", Link: "/leavers?open=true", API: "/leavers?open=true"}, t.LeaversAtRisk)
	n.add(Need{Kind: NeedApproval, Severity: SeverityInfo, Text: counted(t.Approvals, "request waits", "requests wait") + " for a decision", Link: "/requests?state=pending", API: "/requests?state=pending"}, t.Approvals)
	n.add(Need{Kind: NeedTaskOverdue, Severity: SeverityWarning, Text: counted(t.TasksOverdue, "task is", "tasks are") + " overdue", Link: "/tasks?overdue=true", API: "/tasks?overdue=true"}, t.TasksOverdue)
	n.add(Need{Kind: NeedTaskOpen, Severity: SeverityInfo, Text: counted(t.TasksOpen, "task is", "tasks are") + " open and not due yet", Link: "/tasks", API: "/tasks"}, t.TasksOpen)
	n.add(Need{Kind: NeedCase, Severity: SeverityWarning, Text: counted(t.Cases, "resource", "resources") + " could belong to several people; who it is has to be decided", Link: "/cases", API: "/cases"}, t.Cases)
	n.add(Need{Kind: NeedConflict, Severity: SeverityWarning, Text: counted(t.Conflicts, "person is", "people are") + " in a conflict of roles", Link: "/findings?kind=conflict", API: "/conflicts"}, t.Conflicts)
	n.add(Need{Kind: NeedFinding, Severity: SeverityInfo, Text: counted(t.Findings, "finding", "findings") + " about the facts of people", Link: "/findings", API: "/findings"}, t.Findings)
	n.add(Need{Kind: NeedDelivery, Severity: SeverityWarning, Text: counted(t.Deliveries, "receiver does", "receivers do") + " not take messages", Link: "/settings/deliveries", API: "/notifications/receivers"}, t.Deliveries)
	severity := SeverityInfo
	if t.Reviews.Oldest != nil && t.Reviews.Oldest.Before(n.now) {
		severity = SeverityWarning
	}
	n.add(Need{Kind: NeedReview, Severity: severity, Text: counted(t.Reviews, "access review is", "access reviews are") + " open", Link: "/reviews", API: "/reviews?state=open"}, t.Reviews)
}

// own are those that wait for the caller.
func (n *needs) own(m hub.Mine) {
	n.add(Need{Kind: NeedMyApproval, Severity: SeverityWarning, Text: counted(store.Tally{N: m.Requests}, "request waits", "requests wait") + " for your decision", Link: "/approvals", API: "/requests?waiting=true"},
		store.Tally{N: m.Requests, Oldest: m.OldestRequest})
	n.add(Need{Kind: NeedMyTask, Severity: SeverityWarning, Text: counted(store.Tally{N: m.Tasks}, "task is", "tasks are") + " yours to do", Link: "/tasks?mine=true", API: "/tasks?mine=true"},
		store.Tally{N: m.Tasks, Oldest: m.FirstTaskDue})
	n.add(Need{Kind: NeedMyReview, Severity: SeverityWarning, Text: counted(store.Tally{N: m.ReviewItems}, "item of an access review waits", "items of access reviews wait") + " for you", Link: "/reviews?asked=me", API: "/reviews?asked=me"},
		store.Tally{N: m.ReviewItems, Oldest: m.FirstReviewDue})
}

// target are those of one target.
func (n *needs) target(c TargetCard, st store.TargetState, g store.TargetGlance) {
	link, api := "/targets/"+url.PathEscape(c.Name), "/targets/"+url.PathEscape(c.Name)
	need := func(kind, severity, text string, t store.Tally) {
		n.add(Need{Kind: kind, Subject: c.Name, Severity: severity, Text: c.Name + ": " + text, Link: link, API: api}, t)
	}
	one := store.Tally{N: 1}
	switch {
	case st.Moved != nil:
		need(NeedPlanHeld, SeverityCritical, st.Moved.Words, one)
	case c.Quarantine != nil:
		need(NeedQuarantined, SeverityCritical, "quarantined: "+c.Quarantine.Reason, store.Tally{N: 1, Oldest: &c.Quarantine.Since})
	case c.State == "failing":
		need(NeedFailing, SeverityWarning, "failing: "+st.LastError, store.Tally{N: 1, Oldest: st.LastSuccess})
	}
	if st.Moved == nil {
		need(NeedPlanHeld, SeverityWarning, counted(g.Held, "account is", "accounts are")+" held until somebody releases them", g.Held)
	}
	need(NeedAccountsFailed, SeverityWarning, counted(g.Failed, "account fails", "accounts fail"), g.Failed)
	if st.DriftRefused != "" {
		need(NeedDrift, SeverityWarning, "the last sweep concluded nothing: "+st.DriftRefused, store.Tally{N: 1, Oldest: st.LastDrift})
	}
	need(NeedDrift, SeverityInfo, counted(store.Tally{N: c.Drifted}, "account differs", "accounts differ")+" from what the hub wrote", store.Tally{N: c.Drifted})
	for _, words := range c.Warnings {
		severity := SeverityInfo
		if c.ExpiresAt != nil && c.ExpiresAt.Before(n.now.Add(7*24*time.Hour)) {
			severity = SeverityCritical
		}
		n.add(Need{Kind: NeedCredential, Subject: c.Name, Severity: severity, Text: c.Name + ": " + words, Link: link, API: api, Oldest: c.ExpiresAt}, one)
	}
}

// expiring is how long before its end a credential is told of.
const expiring = 30 * 24 * time.Hour

// sources are those of sources: held leavers, silence, tokens that expire.
func (a *API) sourceNeeds(ctx context.Context, n *needs) error {
	states, err := a.Hub.Store.SourceStates(ctx)
	if err != nil {
		return err
	}
	for _, s := range a.Hub.Snapshot().Doc.Sources {
		api := "/sources/" + url.PathEscape(s.Name)
		held, err := a.Hub.Store.HeldBySource(ctx, s.Name, maxGlance)
		if err != nil {
			return err
		}
		n.add(Need{Kind: NeedLeaversHeld, Subject: s.Name, Severity: SeverityCritical, Link: "/sources/" + url.PathEscape(s.Name), API: api,
			Text: s.Name + ": " + counted(held, "person", "people") + " left at once, beyond the guard; their access stays until somebody releases them"}, held)
		if silent := states[s.Name].SilentSince; silent != nil {
			n.add(Need{Kind: NeedSourceSilent, Subject: s.Name, Severity: SeverityWarning, Link: "/sources/" + url.PathEscape(s.Name), API: api, Text: s.Name + " has been silent: nobody who leaves there is heard of"}, store.Tally{N: 1, Oldest: silent})
		}
		for _, t := range s.Tokens {
			n.expires("source "+s.Name+", token "+t.Name, "/sources/"+url.PathEscape(s.Name), api, t.Expires)
		}
	}
	tokens, err := a.Hub.Store.LiveTokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		what := "source " + t.Source + ", token " + t.Name
		if strings.HasPrefix(t.Source, store.AdminTokens) {
			what = "API token " + t.Name
		}
		n.expires(what, "/settings/tokens", "/tokens", t.ExpiresAt)
	}
	return nil
}

// expires adds a credential that ends soon, or has ended within the last thirty days.
func (n *needs) expires(what, link, api string, at *time.Time) {
	if at == nil || at.After(n.now.Add(expiring)) || at.Before(n.now.Add(-expiring)) {
		return
	}
	need := Need{Kind: NeedCredential, Subject: what, Severity: SeverityInfo, Link: link, API: api, Oldest: at}
	switch left := at.Sub(n.now); {
	case left <= 0:
		need.Severity, need.Text = SeverityCritical, what+" has expired on "+at.UTC().Format(time.DateOnly)
	default:
		if left < 7*24*time.Hour {
			need.Severity = SeverityWarning
		}
		need.Text = fmt.Sprintf("%s expires in %d days, on %s", what, int(left.Hours()/24), at.UTC().Format(time.DateOnly))
	}
	n.add(need, store.Tally{N: 1})
}

// auditNeeds says that the audit trail is not signed as it should be.
func (a *API) auditNeeds(ctx context.Context, n *needs) error {
	last, found, err := a.Hub.Store.LastCheckpoint(ctx)
	if err != nil {
		return err
	}
	need := Need{Kind: NeedAudit, Severity: SeverityWarning, Link: "/audit", API: "/audit/verify"}
	if !found {
		return nil // the first follows within a minute of the start
	}
	body, bad := last.Body()
	if bad != nil {
		need.Severity, need.Text = SeverityCritical, "the newest checkpoint of the audit trail cannot be read: verify the trail"
		n.add(need, store.Tally{N: 1})
		return nil //nolint:nilerr // it is told
	}
	written, err := a.Hub.Store.AuditSince(ctx, body.At)
	if err == nil && written && n.now.Sub(body.At) > unsignedLong {
		need.Text = "the audit trail has not been signed since " + body.At.Format(time.RFC3339) + ": nobody could show that what came after is what was written"
		n.add(need, store.Tally{N: 1, Oldest: &body.At})
	}
	return err
}

// unsignedLong is after which the audit trail should have been signed, if anything was
// written.
const unsignedLong = 2 * time.Hour

// card is one target at a glance.
func (a *API) card(ctx context.Context, t model.Target, counts map[model.AccountState]int, since time.Time) (c TargetCard, st store.TargetState, g store.TargetGlance, err error) {
	if st, err = a.Hub.Store.TargetState(ctx, t.Name); err != nil {
		return c, st, g, err
	}
	if g, err = a.Hub.Store.GlanceTarget(ctx, t.Name, since, maxGlance); err != nil {
		return c, st, g, err
	}
	now := a.now()
	c = TargetCard{Name: t.Name, Profile: profileOf(t), Mode: t.Mode, State: stateOf(st), Accounts: counts, Pending: g.Due.N, OldestDue: g.Due.Oldest,
		Held: g.Held.N, LastDrift: st.LastDrift, LastAttempt: st.LastAttempt, LastSuccess: st.LastSuccess, RetryAt: st.RetryAt,
		LastError: st.LastError, ErrorClass: st.ErrorClass, Errors: g.Errors, Hours: []HourView{}}
	if c.Accounts == nil {
		c.Accounts = map[model.AccountState]int{}
	}
	c.Drifted = c.Accounts[model.StateDrifted]
	if c.State == "ok" && c.Held > 0 {
		c.State = "held"
	}
	if g.Due.Oldest != nil {
		c.Lag = now.Sub(*g.Due.Oldest).Round(time.Second).String()
	}
	if st.QuarantinedAt != nil {
		c.Quarantine = &QuarantineView{*st.QuarantinedAt, st.Reason, st.RetryAt, st.Probes}
	}
	for _, h := range g.Hours {
		c.Hours = append(c.Hours, HourView{h.Hour, h.Done, h.Failed})
	}
	progress, err := a.Hub.Store.Progress(ctx, t.Name)
	if err != nil {
		return c, st, g, err
	}
	c.Progress = fanout.ShowProgress(progress, now)
	profile, err := fanout.ProfileOf(t)
	if err != nil {
		return c, st, g, err
	}
	_, slots, err := fanout.ShowCredentials(ctx, a.Hub.Store, t)
	if err != nil {
		return c, st, g, err
	}
	for _, s := range slots {
		if s.InUse {
			c.ExpiresAt = s.Expires
		}
	}
	c.Warnings = credentialWarnings(slots, profile.Credential.Owned && t.Manual == nil, now)
	return c, st, g, nil
}
