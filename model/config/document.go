// Package config reads the hub's configuration: a YAML text becomes a Document
// that is complete, has its defaults filled in and holds nothing that refers to
// something that is not there; or a list of all its faults, each with line and
// column.
//
// The package decides form alone. It does no I/O, does not know whether an
// expression type-checks (package policy does) nor which profiles exist, and keeps
// no secret but as a model.Secret.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// Document is one version of the configuration. It is never changed after Parse
// and safe for concurrent use.
type Document struct {
	Name      string // of the text, as given to Parse
	Listen    string // host:port; default 127.0.0.1:8080
	PublicURL string // what meta.location and links begin with; default http://Listen, with TLS https
	TLS       *TLS   // nil: plain HTTP
	// ShutdownDelay is how long a hub that was told to stop goes on answering while
	// /readyz says that it stops, so that load balancers send nobody any more; nil: not
	// said, which is a second on PostgreSQL and nothing on SQLite.
	ShutdownDelay *time.Duration
	// TrustedProxies are believed in what X-Forwarded-For says of where a request
	// came from.
	TrustedProxies []netip.Prefix
	// Database is a URL, sqlite:PATH or postgres://…, or a reference to one; it may
	// hold a password, so it is never shown. DatabaseURL resolves it.
	Database model.Secret `json:"-"`

	Admin         Admin
	Sources       []Source // in the order of the text, which is the default authority
	Schemas       []string // files of extension schemas, RFC 7643 §7
	ResourceTypes []string // files of resource types, RFC 7643 §6
	// Registry is what the service provider offers: User, Group, and what Schemas
	// and ResourceTypes add. It is never nil.
	Registry  *scim.Registry `json:"-"`
	Identity  Identity
	Roles     []Role // in the order of the text
	Conflicts []Conflict
	Targets   []model.Target // in the order of the text
	Notify    []Receiver     // in the order of the text
	SMTP      *SMTP          // nil: no e-mail is sent
	Audit     Audit
	Outbound  Outbound
	Reviews   Reviews
	Retention Retention
	Metrics   Metrics
	Tracing   Tracing // zero: off

	Warnings []Fault // what works, but not as one may think; sorted
	faults   []Fault

	digest   string
	redacted []byte
	shown    []byte
	places   map[string]*node
	lines    []string
	roles    map[string]int // name -> place in Roles
}

// Admin says who may operate the hub.
type Admin struct {
	Tokens []AdminToken
	OIDC   *OIDC // nil: not configured

	Session       Session
	TokenLifetime time.Duration // the longest that a token of the API may be made for; default a year
}

// AdminToken is a static bearer token for the operators' API.
type AdminToken struct {
	Name    string
	Secret  model.Secret
	Role    string     // admin, operator, approver or auditor
	Expires *time.Time // nil: never
	Person  string     // userName or id of whom it acts for; empty: nobody
}

// Source is a system that pushes to the hub.
type Source struct {
	Name    string
	Tokens  []Token
	JWT     *JWT        // nil: not configured
	Dialect string      // name of a scim.Dialect; default rfc
	Guard   model.Guard // of leavers; default 10 %, at least 5, in one hour

	Basic        []Basic
	Certificates []Certificate
	Rate         Rate // of requests; default no limit

	Owner  string        // who puts its data right, for findings; empty: nobody is named
	Silent time.Duration // heard nothing for longer: a finding; 0: never
}

// Token is a static bearer token of a source.
type Token struct {
	Name    string
	Secret  model.Secret
	Expires *time.Time // nil: never
}

// Identity says how resources of several sources become one person.
type Identity struct {
	Match []string // attribute paths in the order tried; default userName
	// Authority maps an attribute path, an attribute with its parts ("name.*"), an
	// extension URN or "*" to sources, the first with a value winning; see model.Merge.
	Authority map[string][]string
	Start     string // attribute path of the first moment of access; empty: none
	End       string // attribute path of the first moment of no access; empty: none
	Last      string // attribute path of the last day of access, instead of End; empty: none

	Zone       *time.Location // of dates that name none; never nil, default UTC
	Leave      Leave
	PurgeAfter time.Duration // after leaving, once no source describes the person; 0: never
	Required   []string      // attribute paths whose absence is a finding, beside those that rules read
	Number     string        // attribute path of what no two people share; default the enterprise employeeNumber
	Drill      []string      // user names of test people, who alone may take part in drills
}

// Leave says when somebody is away and expected back. All empty: never.
type Leave struct {
	When   string // CEL
	From   string // attribute path of the first moment away
	Until  string // attribute path of the first moment back
	Access string // suspend (accounts are inactive meanwhile) or keep
}

// Role is a named bundle of entitlements.
//
// A person holds it who matches When, or holds a role that inherits it, or had a
// Request approved; unless they match Deny: then they do not, whatever says they
// should, and hold nothing through it either.
type Role struct {
	Name     string
	When     string // CEL; empty: no rule gives the role
	Deny     string // CEL; empty: nobody is denied
	Inherits []string
	Grants   []model.Entitlement
	Request  *Request      // nil: cannot be asked for
	HandOver time.Duration // how long it is kept by who no longer matches; 0: not at all
	// Approval always: the rule alone is not enough, the steps of Request must say yes, too.
	Approval string // by-request or always
	Risk     string // low, medium or high; empty: nobody said
	Owner    string // who answers for it, role:NAME or user:NAME; empty: nobody
}

// Request says how a role may be asked for.
type Request struct {
	By       string        // self, manager or anyone
	Approve  []Step        // in order; none: granted when asked
	Remind   time.Duration // how long an approver is given before each reminder; 0: no reminders
	Escalate *Escalation   // nil: never
	Within   time.Duration // undecided for longer: the request expires; 0: never
	Expires  time.Duration // the longest that it may last, and what it lasts where no end is asked; 0: no end
	Notice   time.Duration // before the end the person is told; 0: not
	Reason   string        // required or optional
	Lapses   []string      // attribute paths, manager or end: the approval ends when one of them changes
	Moved    Moved
	// Emergency: granted at once, reviewed afterwards; nil: not possible.
	Emergency *Emergency
}

// Step is one stage of approval: manager, role:NAME or user:NAME.
type Step struct {
	All bool // every one of them; else one is enough
	Of  []string
}

// Escalation asks others where nobody decided in time.
type Escalation struct {
	After time.Duration
	To    []string
}

// Moved says what becomes of an approved request whose holder moves: whose manager
// or department changes.
type Moved struct {
	Ask       string        // manager (the new one is asked), or nobody
	Within    time.Duration // how long they are given; default 14 days
	Undecided string        // keep or end
}

// Emergency is access before approval.
type Emergency struct {
	By     []string      // role:NAME or user:NAME; empty: whoever may ask
	For    time.Duration // how long it lasts
	Review []string      // manager, role:NAME or user:NAME
	Within time.Duration // how long they are given; undecided it ends; default 3 days
}

// Conflict is roles that nobody should hold together, or no more than one of at a
// time. Where nobody may hold both, the role that stands first goes first.
type Conflict struct {
	Name    string   // for messages; default the roles
	Roles   []string // at least two
	Action  string   // refuse, report or approve
	Approve []string // with approve: who may allow an exception; manager, role:NAME or user:NAME
}

// Audit is how long the audit chain is kept.
type Audit struct {
	Retain     time.Duration // 0: for ever
	Key        model.Secret  // Ed25519 seed that signs checkpoints, 64 hexadecimal digits; empty: the hub's own
	Checkpoint time.Duration // how often one is signed; default 1 h
}

// Outbound is what webhooks and probes may reach.
type Outbound struct {
	AllowPrivate bool // loopback and private networks too
}

// Parse reads a configuration; name is what faults call the text. The document is
// there even if there are faults, so that later checks can add theirs to the same
// list, but it must not be put to use then. Parse never panics.
func Parse(name string, src []byte) (*Document, []Fault) {
	d := &Document{Name: name, Listen: "127.0.0.1:8080", Database: model.NewSecret("sqlite:scimhub.db"), Registry: scim.DefaultRegistry()}
	d.Identity = defaultIdentity()
	d.Reviews = defaultReviews()
	d.Audit.Checkpoint = time.Hour
	d.Retention = defaultRetention()
	d.Admin.Session, d.Admin.TokenLifetime = defaultSession(), defaultTokenLifetime
	sum := sha256.Sum256(src)
	d.digest = hex.EncodeToString(sum[:])
	own, files, fault := split(src)
	if fault != "" {
		d.faults = []Fault{{File: name, Line: 1, Column: 1, Message: fault}}
		return d, d.Faults()
	}
	root, faults := grow(name, own)
	if root == nil {
		d.faults = SortFaults(faults)
		return d, d.Faults()
	}
	r := &reader{file: name, faults: faults}
	r.document(root, d)
	d.Retention.settle(d.Audit.Retain)
	d.roles = make(map[string]int, len(d.Roles))
	for i, role := range d.Roles {
		if _, twice := d.roles[role.Name]; !twice {
			d.roles[role.Name] = i
		}
	}
	if d.PublicURL == "" {
		d.PublicURL = publicURL(d.Listen, d.TLS != nil)
	}
	d.Registry = r.registry(root, files)
	r.crossCheck(root, d)
	stored := r.redact(own, r.hide)
	d.index(root, stored)
	d.redacted = join(stored, files)
	d.shown = join(r.conceal(own), files)
	d.faults = SortFaults(r.faults)
	d.Warnings = SortFaults(r.warnings)
	return d, d.Faults()
}

func (r *reader) document(root *node, d *Document) {
	r.fields(root, map[string]func(*node){
		"listen":          func(n *node) { d.Listen = r.checked(n, checkListen) },
		"public_url":      func(n *node) { d.PublicURL = r.publicURL(n) },
		"database":        func(n *node) { d.Database = model.NewSecret(r.database(n)) },
		"tls":             func(n *node) { d.TLS = r.tls(n) },
		"trusted_proxies": func(n *node) { d.TrustedProxies = r.networks(n) },
		"admin":           func(n *node) { d.Admin = r.admin(n) },
		"sources":         func(n *node) { r.named(n, func(s string, v *node) { d.Sources = append(d.Sources, r.source(s, v)) }) },
		"schemas":         func(n *node) { d.Schemas = r.texts(n) },
		"resource_types":  func(n *node) { d.ResourceTypes = r.texts(n) },
		"identity":        func(n *node) { r.identity(n, &d.Identity) },
		"roles":           func(n *node) { r.named(n, func(s string, v *node) { d.Roles = append(d.Roles, r.role(s, v)) }) },
		"conflicts": func(n *node) {
			r.each(n, func(v *node) { d.Conflicts = append(d.Conflicts, r.conflict(v)) })
		},
		"targets": func(n *node) { r.named(n, func(s string, v *node) { d.Targets = append(d.Targets, r.target(s, v)) }) },
		"notify": func(n *node) {
			unique := r.unique("receiver")
			r.each(n, func(v *node) { d.Notify = append(d.Notify, r.receiver(v, unique)) })
			nameReceivers(d.Notify)
		},
		"smtp":      func(n *node) { d.SMTP = r.smtp(n) },
		"audit":     func(n *node) { r.audit(n, &d.Audit) },
		"outbound":  func(n *node) { d.Outbound = r.outbound(n) },
		"reviews":   func(n *node) { r.reviews(n, &d.Reviews) },
		"retention": func(n *node) { r.retention(n, &d.Retention) },
		"metrics":   func(n *node) { d.Metrics = r.metrics(n) },
		"tracing":   func(n *node) { d.Tracing = r.tracing(n) },

		"shutdown_delay": func(n *node) { d.ShutdownDelay = r.shutdownDelay(n) },
	})
}

// Faults are the faults that Parse found, in order of place.
func (d *Document) Faults() []Fault { return append([]Fault(nil), d.faults...) }

// Digest is the SHA-256 of the text in hexadecimal: equal digests, equal texts.
func (d *Document) Digest() string { return d.digest }

// DatabaseURL is the address of the database, a reference resolved.
func (d *Document) DatabaseURL() (string, error) { return d.Database.Reveal() }

// Source finds a source by name.
func (d *Document) Source(name string) (Source, bool) {
	for _, s := range d.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// Role finds a role by name.
func (d *Document) Role(name string) (Role, bool) {
	if d.roles != nil {
		i, ok := d.roles[name]
		if !ok {
			return Role{}, false
		}
		return d.Roles[i], true
	}
	for _, r := range d.Roles { // a document that no text was read for
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// Target finds a target by name.
func (d *Document) Target(name string) (model.Target, bool) {
	for _, t := range d.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return model.Target{}, false
}

// SourceNames are the sources in the order of the text: the default authority.
func (d *Document) SourceNames() []string {
	names := make([]string, len(d.Sources))
	for i, s := range d.Sources {
		names[i] = s.Name
	}
	return names
}
