package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/store"
)

// sourcesView is the page of all sources.
type sourcesView struct {
	Sources []sourceLine
	Next    string
	Wrong   int // that need a look
}

// sourceLine is a source, and what is wrong with it.
type sourceLine struct {
	admin.SourceView
	People  int
	Trouble string // empty: nothing
}

func showSources(v *Visit) (any, error) {
	var found listing[admin.SourceView]
	if err := v.Get(&found, Query("/sources", "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	out := sourcesView{Next: found.Next}
	for _, s := range found.Items {
		line := sourceLineOf(s)
		if line.Trouble != "" {
			out.Wrong++
		}
		out.Sources = append(out.Sources, line)
	}
	slices.SortStableFunc(out.Sources, func(a, b sourceLine) int {
		switch {
		case (a.Trouble != "") == (b.Trouble != ""):
			return 0
		case a.Trouble != "":
			return -1
		}
		return 1
	})
	return out, nil
}

func sourceLineOf(s admin.SourceView) sourceLine {
	out := sourceLine{SourceView: s, People: s.Resources["User"]}
	switch {
	case s.Held != nil:
		out.Trouble = plural(s.Held.Count, "person") + " left beyond its guard, and wait for somebody to decide"
	case s.SilentSince != nil:
		out.Trouble = "it is silent for longer than it should be"
	case s.LastSeen == nil:
		out.Trouble = "nothing has come from it yet"
	}
	return out
}

// sourceView is the page of one source.
type sourceView struct {
	sourceLine
	Connection admin.SourceConnection
	Guides     []guide // how to connect; the one of its dialect first
	Release    bool    // may let held leavers go
	Tokens     bool    // may make tokens
	Held       []store.HeldLeaver
	MoreHeld   int
}

// leaversShown is how many held leavers are shown one by one.
const leaversShown = 100

func showSource(v *Visit) (any, error) {
	out := sourceView{Release: v.Caller.May("decide") == nil, Tokens: v.Caller.May("administer") == nil}
	var s admin.SourceView
	if err := v.Get(&s, "/sources/%s", v.Var("source")); err != nil {
		return nil, err
	}
	out.sourceLine = sourceLineOf(s)
	if err := v.Get(&out.Connection, "/sources/%s/connection", v.Var("source")); err != nil {
		return nil, err
	}
	out.Guides = guides(s.Dialect, out.Connection.Address)
	if s.Held != nil {
		out.Held = s.Held.People[:min(len(s.Held.People), leaversShown)]
		out.MoreHeld = s.Held.Count - len(out.Held)
	}
	return out, nil
}

// sessionsView is the page of who is signed in.
type sessionsView struct {
	All      bool // may see everybody's
	Mine     bool // only the caller's are shown
	Ended    bool // those that ended, too
	End      bool // may end anybody's
	Links    bool // may make links to sign in
	Roles    []string
	Sessions []sessionLine
	Next     string
}

// sessionLine is a session, for people.
type sessionLine struct {
	admin.SessionView
	How string // they signed in
	End bool   // the caller may end it
}

func showSessions(v *Visit) (any, error) {
	out := sessionsView{All: v.Caller.May("read") == nil, End: v.Caller.May("operate") == nil, Links: v.Caller.May("administer") == nil, Ended: v.Query("ended") != ""}
	out.Mine = !out.All || v.Query("mine") != ""
	out.Roles = slices.DeleteFunc(admin.Roles(), func(r string) bool { return r == admin.RolePerson })
	asked := map[bool]string{true: "true"}
	var found listing[admin.SessionView]
	err := v.Get(&found, Query("/sessions", "mine", asked[out.Mine], "ended", asked[out.Ended], "person", v.Query("person"), "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	if err != nil {
		return nil, err
	}
	out.Next = found.Next
	ways := map[string]string{"oidc": "single sign-on", "link": "one-time link", "token": "API token"}
	for _, s := range found.Items {
		line := sessionLine{SessionView: s, How: ways[s.Kind]}
		line.End = s.Ended == nil && (out.End || out.Mine || s.Current)
		out.Sessions = append(out.Sessions, line)
	}
	return out, nil
}

// deliveriesView is the page of messages: who is told, and how that goes.
type deliveriesView struct {
	Receivers       []admin.ReceiverView
	Deliveries      []admin.DeliveryView
	Next            string
	Receiver, State string
	States          []string
	Operate         bool
	Wrong           int // receivers that cannot be reached
}

func showDeliveries(v *Visit) (any, error) {
	out := deliveriesView{Receiver: v.Query("receiver"), State: v.Query("state"), Operate: v.Caller.May("operate") == nil,
		States: []string{store.DeliveryPending, store.DeliveryDone, store.DeliveryFailed, store.DeliveryObsolete}}
	var receivers listing[admin.ReceiverView]
	if err := v.Get(&receivers, "/notifications/receivers"); err != nil {
		return nil, err
	}
	out.Receivers = receivers.Items
	for _, r := range out.Receivers {
		if r.State == "off" || r.State == "failing" {
			out.Wrong++
		}
	}
	var found listing[admin.DeliveryView]
	err := v.Get(&found, Query("/notifications/deliveries", "receiver", out.Receiver, "state", out.State, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	out.Deliveries, out.Next = found.Items, found.Next
	return out, err
}

// aboutView is the page of which hub this is.
type aboutView struct {
	admin.AboutView
	Access admin.AccessView
}

func showAbout(v *Visit) (any, error) {
	var out aboutView
	if err := v.Get(&out.AboutView, "/about"); err != nil {
		return nil, err
	}
	return out, v.Get(&out.Access, "/access")
}

// tokensView is the page of tokens.
type tokensView struct {
	Tokens                  []tokenLine
	Next, Source            string
	May                     bool // may make and end them
	Sources, Targets, Roles []string
	Rights                  []string
	Proxy                   []string        // what a token of the proxy may be allowed
	Ticked                  map[string]bool // what was ticked in a form that failed
}

// tokenLine is a token, for people.
type tokenLine struct {
	admin.TokenView
	For    string
	Limits string
	Soon   bool // it ends within two weeks
	Over   bool // it lets nobody in any more
	Back   string
}

// soon is before which end of a credential people are warned.
const soon = 14 * 24 * time.Hour

func showTokens(v *Visit) (_ any, err error) {
	out := tokensView{Source: v.Query("source"), May: v.Caller.May("administer") == nil, Roles: admin.Roles(), Rights: admin.Rights(), Proxy: admin.ProxyRights()}
	var found listing[admin.TokenView]
	if err := v.Get(&found, Query("/tokens", "source", out.Source, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	out.Next = found.Next
	for _, t := range found.Items {
		out.Tokens = append(out.Tokens, tokenLineOf(t, v.console.Now()))
	}
	if !out.May {
		return out, nil
	}
	out.Ticked = map[string]bool{}
	for _, name := range slices.Concat(v.Form["scope"], v.Form["may"]) {
		out.Ticked[name] = true
	}
	var sources listing[admin.SourceView]
	if err := v.Get(&sources, "/sources?limit=100"); err != nil {
		return nil, err
	}
	for _, s := range sources.Items {
		out.Sources = append(out.Sources, s.Name)
	}
	if out.Targets, err = targetNames(v); err != nil {
		return nil, err
	}
	return out, nil
}

func tokenLineOf(t admin.TokenView, now time.Time) tokenLine {
	out := tokenLine{TokenView: t, Over: t.State == "revoked" || t.State == "expired", Back: "/settings/tokens"}
	out.Soon = !out.Over && t.Expires != nil && t.Expires.Before(now.Add(soon))
	switch {
	case t.Source != "":
		out.For = "source " + t.Source
	case t.Target != "":
		out.For, out.Limits = "target "+t.Target, "may "+strings.Join(t.May, ", ")
	default:
		out.For = "the API, as " + t.Role
		if len(t.Scope) > 0 {
			out.Limits = "only to " + strings.Join(t.Scope, ", ")
		}
		if len(t.Targets) > 0 {
			out.Limits = strings.TrimPrefix(out.Limits+"; only at "+strings.Join(t.Targets, ", "), "; ")
		}
	}
	return out
}

// sourcePath is the page of a source.
func sourcePath(name string) string { return "/settings/sources/" + url.PathEscape(name) }
