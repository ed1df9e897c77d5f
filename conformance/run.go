package conformance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Defaults of Options.
const (
	DefaultTimeout = 15 * time.Second // of one request
	DefaultLimit   = 20 * time.Minute // of a run
	cleanupLimit   = 30 * time.Second // of clearing up after one that was stopped
)

// Options say what to test and how.
type Options struct {
	URL            string      // the base URL of the service, such as https://example.com/scim/v2
	Token          string      // bearer token
	User, Password string      // for HTTP Basic, if there is no token
	Header         http.Header // sent with every request
	Profile        string      // "" means rfc
	Only, Skip     []string    // groups, check ids, or beginnings of ids with a final *
	Timeout        time.Duration
	Limit          time.Duration

	Transport http.RoundTripper // nil: one of its own
	Now       func() time.Time  // needed
	Progress  func(done, total int, id string)
}

// ErrUnusable is wrapped by the errors of a run that could not begin: no service
// there, or one that refuses the credentials.
var ErrUnusable = errors.New("the service cannot be tested")

// suite is one run.
type suite struct {
	o      Options
	base   string
	client *http.Client
	report *Report
	run    string // what every name made by this run begins with
	seq    int
	short  bool // names must be short

	requests atomic.Int64 // sent so far

	facts
	watchers []*watcher
	made     []*resource // in order; the company's too
	lost     []lostName
	crew     *company
	broken   string // why no user can be made, once that is known
	userOK   bool   // a user could be made
}

// watcher is a watching check with what it saw.
type watcher struct {
	check check
	seen  bool
	first *Result
	more  int
}

// Run tests a service. The report is complete even if the context ended, with
// Stopped set; an error, which wraps ErrUnusable or speaks of the options, comes
// without one.
func Run(ctx context.Context, o Options) (*Report, error) {
	s, err := newSuite(o)
	if err != nil {
		return nil, err
	}
	start := s.o.Now()
	ctx, cancel := context.WithTimeout(ctx, s.o.Limit)
	defer cancel()
	if err := s.survey(ctx); err != nil {
		return nil, err
	}
	s.tryNames(ctx)
	s.checks(ctx)
	s.cleanup(ctx)
	if err := ctx.Err(); err != nil {
		s.report.Stopped = "interrupted"
		if errors.Is(err, context.DeadlineExceeded) {
			s.report.Stopped = fmt.Sprintf("after %s, the longest time a run may take", s.o.Limit)
		}
	}
	s.report.Requests = int(s.requests.Load())
	s.report.Started, s.report.Seconds = start.UTC(), s.o.Now().Sub(start).Seconds()
	s.report.count()
	return s.report, nil
}

func newSuite(o Options) (*suite, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of the form https://host/path", o.URL)
	}
	if o.Now == nil {
		return nil, errors.New("conformance: Options.Now is not set")
	}
	if o.Profile == "" {
		o.Profile = "rfc"
	}
	if !slices.Contains(Profiles(), o.Profile) {
		return nil, fmt.Errorf("there is no profile %q; there are %s", o.Profile, strings.Join(Profiles(), ", "))
	}
	if w := unknownWord(append(slices.Clone(o.Only), o.Skip...)); w != "" {
		return nil, fmt.Errorf("%q is neither a check nor a group of checks", w)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	tag := make([]byte, 4)
	if _, err := rand.Read(tag); err != nil {
		return nil, err
	}
	s := &suite{o: o, run: "scimhub-conformance-" + hex.EncodeToString(tag)}
	s.base = strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/")
	s.report = &Report{URL: s.base, Profile: o.Profile, Run: s.run}
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 1 << 20}
	}
	s.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return s, nil
}

// chosen are the checks of this run.
func (s *suite) chosen() []check {
	return slices.DeleteFunc(catalogue(), func(c check) bool {
		return !c.appliesTo(s.o.Profile) || len(s.o.Only) > 0 && !selected(c, s.o.Only) || selected(c, s.o.Skip)
	})
}

// checks runs them; the results are in the order of the catalogue, those that
// watch included.
func (s *suite) checks(ctx context.Context) {
	chosen := s.chosen()
	for _, c := range chosen {
		if c.watch != nil {
			s.watchers = append(s.watchers, &watcher{check: c})
		}
	}
	results := make([][]Result, len(chosen))
	for i, c := range chosen {
		if c.watch != nil {
			continue
		}
		if s.o.Progress != nil {
			s.o.Progress(i, len(chosen), c.ID)
		}
		results[i] = s.runCheck(ctx, c)
	}
	for i, c := range chosen {
		if c.watch != nil {
			results[i] = []Result{s.watched(c)}
		}
	}
	s.report.Results = slices.Concat(results...)
}

func (s *suite) runCheck(ctx context.Context, c check) []Result {
	if why := s.missing(c.needs); why != "" {
		return []Result{{Info: c.Info, Outcome: Skip, Reason: why}}
	}
	if c.each == nil {
		return []Result{s.one(ctx, c, subject{})}
	}
	var out []Result
	for _, sub := range c.each(s) {
		out = append(out, s.one(ctx, c, sub))
	}
	if out == nil {
		return []Result{{Info: c.Info, Outcome: Skip, Reason: "nothing in the schemas asks for it"}}
	}
	return out
}

// one runs a check once and removes what it made. An answer that no check was
// prepared for must not end the run: a panic is reported as what it is.
func (s *suite) one(ctx context.Context, c check, sub subject) Result {
	start := s.o.Now()
	p := &probe{suite: s, ctx: ctx, subject: sub, result: Result{Info: c.Info, Subject: sub.name, Outcome: Pass}}
	kept := len(s.made)
	func() {
		defer func() {
			if r := recover(); r != nil {
				p.fail("an answer that can be understood", fmt.Sprintf("one that the check could not cope with: %v", r))
			}
		}()
		c.run(p)
	}()
	s.clear(ctx, kept)
	if p.result.Outcome == Fail || p.result.Outcome == Warn {
		for _, a := range p.trail[max(0, len(p.trail)-maxExchanges):] {
			p.result.Exchanges = append(p.result.Exchanges, a.exchange(s.base))
		}
	}
	p.result.Seconds = s.o.Now().Sub(start).Seconds()
	return p.result
}

// observe shows an answer to the watching checks.
func (s *suite) observe(a *answer) {
	for _, w := range s.watchers {
		o := w.check.watch(a)
		w.seen = w.seen || o.relevant
		switch {
		case o.expected == "":
		case w.first != nil:
			w.more++
		default:
			outcome := Warn
			if w.check.Level == Must {
				outcome = Fail
			}
			w.first = &Result{Info: w.check.Info, Outcome: outcome, Expected: o.expected, Got: o.got,
				Exchanges: []Exchange{a.exchange(s.base)}}
		}
	}
}

func (s *suite) watched(c check) Result {
	i := slices.IndexFunc(s.watchers, func(w *watcher) bool { return w.check.ID == c.ID })
	w := s.watchers[i]
	switch {
	case s.missing(c.needs) != "":
		return Result{Info: c.Info, Outcome: Skip, Reason: s.missing(c.needs)}
	case w.first == nil && !w.seen:
		return Result{Info: c.Info, Outcome: Skip, Reason: "no answer of this run was of that kind"}
	case w.first == nil:
		return Result{Info: c.Info, Outcome: Pass}
	}
	if w.more > 0 {
		w.first.Got += fmt.Sprintf(" (and in %d more answers)", w.more)
	}
	return *w.first
}
