package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Receiver is told of events: a program, by a webhook (Standard Webhooks), or people, by
// e-mail.
type Receiver struct {
	Name string // by which it is known in logs, metrics and commands; default the host, or email
	// Webhook is a URL or a reference to one, which may hold a secret and is never
	// shown; empty: this is one for e-mail.
	Webhook model.Secret `json:"-"`
	Secret  model.Secret
	// Email is whom messages go to: an address, role:NAME and user:NAME for people, and
	// asked for those of whom an event wants something; approvers, reviewers and owners
	// are these for approvals, reviews and tasks alone.
	Email  []string
	Events []string // names; empty: all

	Digest string         // none: at once; hourly, or daily at At
	At     time.Duration  // since midnight; default 8 h
	Zone   *time.Location // of At; nil: that of identity
	Quiet  *Quiet         // nil: any hour is good
	Urgent []string       // events that wait for neither a digest nor the end of quiet hours
}

// Quiet is the hours in which nobody is written to. They may lie around midnight.
type Quiet struct {
	From, To time.Duration  // since midnight
	Zone     *time.Location // nil: that of the receiver
}

// SMTP is the server that e-mails are handed to.
type SMTP struct {
	Host     string
	Port     int    // default 587; with implicit TLS 465, without TLS 25
	From     string // address, with or without a name
	User     string // empty: it asks for no password
	Password model.Secret
	TLS      string // starttls, implicit or none
}

// The ways of a digest.
const (
	DigestNone   = "none"
	DigestHourly = "hourly"
	DigestDaily  = "daily"
)

// EventNames are all events that can be asked for, sorted.
func EventNames() []string {
	return []string{
		"approval.decided", "approval.escalated", "approval.reminder", "approval.wanted", "audit.broken",
		"config.activated", "conflict.found", "credential.expiring", "drift.found", "import.refused",
		"leaver.done", "leaver.late", "leaver.started", "plan.held", "plan.released",
		"review.closed", "review.escalated", "review.reminder", "review.started",
		"source.held", "source.resumed", "source.silent", "target.quarantined", "target.recovered",
		"task.created", "task.overdue", "task.reminder",
	}
}

// Words for whoever is asked by an event.
const (
	ToAsked     = "asked"
	ToApprovers = "approvers"
	ToReviewers = "reviewers"
	ToOwners    = "owners"
)

func (r *reader) receiver(n *node, unique func(*node, string)) (w Receiver) {
	r.fields(n, map[string]func(*node){
		"name":    func(n *node) { w.Name = r.name(n); unique(n, w.Name) },
		"webhook": func(n *node) { w.Webhook = model.NewSecret(r.webhook(n)) },
		"secret":  func(n *node) { w.Secret = r.secret(n) },
		"email":   func(n *node) { r.each(n, func(v *node) { w.Email = append(w.Email, r.checked(v, checkRecipient)) }) },
		"events":  func(n *node) { w.Events = r.events(n) },
		"digest":  func(n *node) { w.Digest = r.enum(n, DigestNone, DigestHourly, DigestDaily) },
		"at":      func(n *node) { w.At = r.timeOfDay(n) },
		"zone":    func(n *node) { w.Zone = r.zone(n) },
		"quiet":   func(n *node) { w.Quiet = r.quiet(n) },
		"urgent":  func(n *node) { w.Urgent = r.events(n) },
	})
	r.checkReceiver(n, w)
	if !n.has("at") {
		w.At = 8 * time.Hour
	}
	if w.Digest == "" {
		w.Digest = DigestNone
	}
	return w
}

func (r *reader) checkReceiver(n *node, w Receiver) {
	if n.kind != object {
		return
	}
	hook, mail := n.has("webhook"), n.has("email")
	switch {
	case hook == mail:
		r.fault(n, "needs either webhook or email")
	case hook:
		for _, key := range []string{"digest", "at", "zone", "quiet", "urgent"} {
			if n.has(key) {
				r.fault(n, "%s is for email: a webhook is told at once", key)
			}
		}
		if !n.has("secret") {
			r.warn(n, "a webhook without secret cannot tell that it is the hub who speaks")
		}
	case n.has("secret"):
		r.fault(n, "secret is for webhook")
	case len(w.Email) == 0:
		r.fault(n, "email names nobody")
	}
}

// nameReceivers gives names to receivers that have none, in the order of the text.
func nameReceivers(list []Receiver) {
	taken := map[string]bool{}
	for _, w := range list {
		taken[w.Name] = true
	}
	for i := range list {
		w := &list[i]
		if w.Name != "" {
			continue
		}
		base := "email"
		if !w.Webhook.IsZero() {
			base = "webhook"
			if u, err := url.Parse(w.Address()); err == nil && u.Hostname() != "" {
				base = strings.ToLower(u.Hostname())
			}
		}
		w.Name = base
		for n := 2; taken[w.Name]; n++ {
			w.Name = base + "-" + strconv.Itoa(n)
		}
		taken[w.Name] = true
	}
}

// Address is where the webhook is, as the configuration says it: a URL, or a reference to
// one. It may be secret.
func (w Receiver) Address() string {
	if ref := w.Webhook.Reference(); isReference(ref) {
		return ref
	}
	address, _ := w.Webhook.Reveal() // it stands there itself
	return address
}

func (r *reader) webhook(n *node) string {
	s := r.checked(n, func(s string) error {
		if isReference(s) {
			return nil
		}
		return checkURL(s)
	})
	if with, hide := hideAddress(s); hide {
		r.unshown = append(r.unshown, hidden{node: n, with: with})
	}
	return s
}

func (r *reader) events(n *node) (out []string) {
	r.each(n, func(v *node) { out = append(out, r.enum(v, EventNames()...)) })
	return out
}

func checkRecipient(s string) error {
	switch s {
	case ToAsked, ToApprovers, ToReviewers, ToOwners:
		return nil
	}
	for _, prefix := range []string{"role:", "user:"} {
		if name, is := strings.CutPrefix(s, prefix); is && name != "" {
			return nil
		}
	}
	return checkAddress(s)
}

// checkAddress takes a bare address of e-mail.
func checkAddress(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || strings.ContainsFunc(s, isControl) {
		return fmt.Errorf("%q must be an address such as ops@example.com, role:NAME, user:NAME, asked, approvers, reviewers or owners", s)
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

func (r *reader) quiet(n *node) *Quiet {
	q := &Quiet{}
	r.need(n, "from", "to")
	r.fields(n, map[string]func(*node){
		"from": func(n *node) { q.From = r.timeOfDay(n) },
		"to":   func(n *node) { q.To = r.timeOfDay(n) },
		"zone": func(n *node) { q.Zone = r.zone(n) },
	})
	if n.has("from") && n.has("to") && q.From == q.To {
		r.fault(n, "from and to are the same: there would be no hour left, or none at all")
	}
	return q
}

// timeOfDay reads 08:00 as the time since midnight.
func (r *reader) timeOfDay(n *node) (d time.Duration) {
	r.checked(n, func(s string) error {
		t, err := time.Parse("15:04", s)
		if err != nil {
			return errors.New("must be a time of day such as 08:00")
		}
		d = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
		return nil
	})
	return d
}

func (r *reader) smtp(n *node) *SMTP {
	s := &SMTP{TLS: "starttls"}
	r.need(n, "host", "from")
	r.fields(n, map[string]func(*node){
		"host": func(n *node) { s.Host = r.checked(n, checkHost) },
		"port": func(n *node) { s.Port = r.integer(n, 1, 65535) },
		"from": func(n *node) {
			s.From = r.checked(n, func(s string) error {
				if _, err := mail.ParseAddress(s); err != nil || strings.ContainsFunc(s, isControl) {
					return errors.New(`must be an address such as hub@example.com, or "Access <hub@example.com>"`)
				}
				return nil
			})
		},
		"user":     func(n *node) { s.User = r.text(n) },
		"password": func(n *node) { s.Password = r.secret(n) },
		"tls":      func(n *node) { s.TLS = r.enum(n, "starttls", "implicit", "none") },
	})
	if n.has("user") != n.has("password") {
		r.fault(n, "user and password belong together")
	}
	if s.User != "" && s.TLS == "none" && !loopback(s.Host) {
		r.fault(n, "tls: none would send the password readable to everybody on the way")
	}
	if s.Port == 0 {
		s.Port = map[string]int{"implicit": 465, "none": 25}[s.TLS]
		s.Port = cmp.Or(s.Port, 587)
	}
	return s
}

func checkHost(s string) error {
	if strings.ContainsAny(s, "/@ \t\r\n") || strings.Contains(s, ":") && net.ParseIP(s) == nil {
		return errors.New("must be the name or the address of a host, without a port")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkNotify holds receivers against the rest of the configuration.
func (r *reader) checkNotify(d *Document, roles []string, refer *references) {
	for i, w := range d.Notify {
		for j, to := range w.Email {
			if name, is := strings.CutPrefix(to, "role:"); is {
				refer.to("role", roles, name, "notify", i, "email", j)
			}
		}
		if len(w.Email) > 0 && d.SMTP == nil {
			if n := refer.places[Join("notify", i, "email")]; n != nil {
				r.fault(n, "smtp is missing at the top: no server is named that takes e-mails")
			}
		}
	}
}

// Receiver finds a receiver by name.
func (d *Document) Receiver(name string) (Receiver, bool) {
	i := slices.IndexFunc(d.Notify, func(w Receiver) bool { return w.Name == name })
	if i < 0 {
		return Receiver{}, false
	}
	return d.Notify[i], true
}
