package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// requestsView is the page on which access is asked for and followed.
type requestsView struct {
	Requests []requestLine
	Next     string
	State    string
	States   []string
	All      bool // everybody's are shown
	May      bool // may ask
	Others   bool // may ask for others
	Q        string
	Roles    []admin.RoleView // that can be asked for
	Chosen   *admin.RoleView
}

// requestLine is a request, and where it is.
type requestLine struct {
	hub.RequestView
	Where string
}

func showRequests(v *Visit) (any, error) {
	out := requestsView{State: v.Query("state"), States: []string{"pending", "approved", "denied", "withdrawn", "expired", "lapsed", "revoked", "ended"},
		All: v.Caller.May("read") == nil, May: v.Caller.May("ask") == nil, Q: v.Query("q"), Others: v.Caller.Role != admin.RolePerson}
	mine := ""
	if !out.All {
		mine = "true"
	}
	var found listing[hub.RequestView]
	if err := v.Get(&found, Query("/requests", "state", out.State, "for", v.Query("for"), "mine", mine, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	for _, q := range found.Items {
		out.Requests = append(out.Requests, requestLine{q, whereIs(q)})
	}
	out.Next = found.Next
	if !out.May {
		return out, nil
	}
	var roles listing[admin.RoleView]
	if err := v.Get(&roles, Query("/roles", "askable", "true", "q", out.Q, "limit", "100")); err != nil {
		return nil, err
	}
	out.Roles = roles.Items
	if name := v.Query("role"); name != "" {
		var role admin.RoleView
		if err := v.Get(&role, "/roles/%s", name); err != nil {
			return nil, err
		}
		out.Chosen = &role
	}
	return out, nil
}

// whereIs says in one line what becomes of a request.
func whereIs(q hub.RequestView) string {
	switch {
	case q.State == model.RequestPending && len(q.WaitsFor) > 0:
		return fmt.Sprintf("step %d of %d: waits for %s", q.Step+1, len(q.Steps), strings.Join(q.WaitsFor, ", "))
	case q.Review != nil:
		return "in force, and asked about: " + q.Review.Why
	case q.State == model.RequestApproved && q.Until != nil:
		return "in force until " + q.Until.UTC().Format("2006-01-02 15:04")
	case q.Why != "":
		return q.Why
	}
	return ""
}

// requestView is the page of one request.
type requestView struct {
	admin.RequestContext
	Where                          string
	Answer, Override, Own, MayTake bool // what may be done about it
	Peers                          string
	Risky                          []string
	NeedsReason                    bool
	Back                           string
}

func showRequest(v *Visit) (any, error) {
	var out admin.RequestContext
	if err := v.Get(&out, "/requests/%s/context", v.Var("request")); err != nil {
		return nil, err
	}
	return viewRequest(v, out, "/requests/"+url.PathEscape(out.Request.ID)), nil
}

func viewRequest(v *Visit, c admin.RequestContext, back string) requestView {
	q := c.Request
	out := requestView{RequestContext: c, Where: whereIs(q), Back: back}
	waits := q.State == model.RequestPending || q.Review != nil
	own := v.Caller.Person != "" && (v.Caller.Person == c.UserName || v.Caller.Person == c.Request.Identity)
	out.Answer = waits && v.Caller.May("ask") == nil && !own
	out.Override = v.Caller.Role == admin.RoleAdmin && v.Caller.Person == ""
	out.Own = q.State == model.RequestPending && (own || v.Caller.May("operate") == nil)
	out.MayTake = q.State == model.RequestApproved && (own || v.Caller.May("operate") == nil)
	if c.Peers > 1 {
		out.RequestContext.Peers--
		out.Peers = fmt.Sprintf("%d of %s with the same manager", c.PeersHold, plural(c.Peers-1, "person"))
	}
	if len(c.Conflicts) > 0 {
		out.Risky = append(out.Risky, "They hold "+strings.Join(c.Conflicts, ", ")+", which should not be held together with it.")
	}
	if c.Role != nil && c.Role.Risk == "high" {
		out.Risky = append(out.Risky, "The role is of high risk.")
	}
	if q.Until == nil && q.State == model.RequestPending {
		out.Risky = append(out.Risky, "It would have no end.")
	}
	return out
}

// approvalsView is the page of what waits for an answer.
type approvalsView struct {
	Cards []requestView
	Next  string
	All   bool // everybody's, not only one's own
}

// cardsShown is how many requests are decided on one page.
const cardsShown = 20

func showApprovals(v *Visit) (any, error) {
	out := approvalsView{All: v.Caller.Person == ""}
	path := Query("/requests", "waiting", "true", "cursor", v.Query("cursor"), "limit", strconv.Itoa(cardsShown))
	var found listing[hub.RequestView]
	if err := v.Get(&found, path); err != nil {
		return nil, err
	}
	out.Next = found.Next
	for _, q := range found.Items {
		var c admin.RequestContext
		if err := v.Get(&c, "/requests/%s/context", q.ID); err != nil {
			if statusOf(err) == 404 || statusOf(err) == 403 { // it has gone meanwhile
				continue
			}
			return nil, err
		}
		out.Cards = append(out.Cards, viewRequest(v, c, "/approvals"))
	}
	return out, nil
}

// actView is what a link in a message leads to.
type actView struct {
	admin.ActView
	Card *requestView
}

func showAct(v *Visit) (any, error) {
	var out actView
	if err := v.Get(&out.ActView, "/act?t="+url.QueryEscape(v.Query("t"))); err != nil {
		return nil, err
	}
	var c admin.RequestContext
	if err := v.Get(&c, "/requests/%s/context", out.Request.ID); err != nil {
		return nil, err
	}
	card := viewRequest(v, c, "/requests/"+url.PathEscape(out.Request.ID))
	out.Card = &card
	return out, nil
}

// deputiesView is the page of deputies.
type deputiesView struct {
	Deputies []admin.DeputyView
	Next     string
	Anybody  bool // may name them for others
}

func showDeputies(v *Visit) (any, error) {
	out := deputiesView{Anybody: v.Caller.May("operate") == nil}
	var found listing[admin.DeputyView]
	err := v.Get(&found, Query("/deputies", "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	out.Deputies, out.Next = found.Items, found.Next
	return out, err
}
