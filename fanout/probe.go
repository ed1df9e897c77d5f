package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// ProbeOptions says how an application is probed.
type ProbeOptions struct {
	ReadOnly bool   // only reads: nothing is made, changed or removed
	Domain   string // of the user names that the probe makes; empty: that of an existing account, else example.com
	Mark     string // of the names of what the probe makes; no two probes alike
	Now      func() time.Time
}

// ProbeFinding is one field of a profile, and how the probe came to it.
type ProbeFinding struct {
	Field   string `json:"field"`
	Value   any    `json:"value"`
	Because string `json:"because"`
	Differs bool   `json:"differs"` // from the generic profile
}

// ProbeReport is what a probe learnt.
type ProbeReport struct {
	URL      string         `json:"url"`
	ReadOnly bool           `json:"read_only"`
	Findings []ProbeFinding `json:"findings"`
	Profile  map[string]any `json:"profile"`         // what differs from generic, to be stated below a target
	Unknown  []string       `json:"unknown"`         // what could not be learnt, in words
	Notes    []string       `json:"notes,omitempty"` // what an operator should know
	Left     []string       `json:"left,omitempty"`  // what the probe made and could not remove
	Requests int            `json:"requests"`
}

// Probe learns a profile from an application: it reads what the application says of
// itself, feature by feature, tries what can be tried on objects that it makes and
// removes, and believes the trial where the two disagree. Where nothing was learnt
// the generic profile's word stands, and the report says so: nothing is ever turned
// off because an answer could not be read.
//
// The error says that the application could not be talked to at all; what was
// learnt before, and what is left behind, is in the report all the same.
func Probe(ctx context.Context, t model.Target, o ProbeOptions, c ClientOptions) (ProbeReport, error) {
	if o.Mark == "" || o.Now == nil {
		return ProbeReport{}, model.Fail(model.Internal, "a probe needs a mark and a clock", nil)
	}
	generic, err := ProfileNamed("generic")
	if err != nil {
		return ProbeReport{}, err
	}
	client, err := NewClient(t, generic, c)
	if err != nil {
		return ProbeReport{}, err
	}
	p := &prober{client: client, options: o, generic: generic, values: map[string]any{},
		report: ProbeReport{URL: client.base, ReadOnly: o.ReadOnly}}
	err = p.run(ctx)
	p.conclude()
	return p.report, err
}

// prober is one probe under way.
type prober struct {
	client  *Client
	options ProbeOptions
	generic Profile
	report  ProbeReport
	values  map[string]any // findings by field

	known    knownUser // an account that exists, for filters
	other    knownUser // a second one that the probe made; empty: none
	groups   bool      // there is a Group type
	patches  bool      // PATCH works
	said     capabilities
	pacing   map[string]string // headers about rates that were seen
	cleanups []cleanup
}

// knownUser is an account of which the probe knows what a look-up should find.
type knownUser struct {
	id, userName, externalID, email string
	ours                            bool
}

// cleanup removes one thing that the probe made.
type cleanup struct{ kind, path, name string }

func (p *prober) run(ctx context.Context) error {
	if err := p.discover(ctx); err != nil {
		return err
	}
	if err := p.listing(ctx); err != nil {
		return err
	}
	if p.options.ReadOnly {
		p.paging(ctx)
		p.filters(ctx)
		p.unknown("writing: nothing was tried, because the probe was to read only")
		return nil
	}
	defer p.cleanUp(ctx)
	if p.makeUser(ctx) {
		p.paging(ctx)
		p.filters(ctx)
		p.conflict(ctx)
		p.patching(ctx)
		p.putting(ctx)
		p.versions(ctx)
		p.renaming(ctx)
		p.switching(ctx)
		p.together(ctx)
	} else {
		p.paging(ctx)
		p.filters(ctx)
	}
	if p.groups {
		p.grouping(ctx)
	}
	p.deleting(ctx)
	return ctx.Err()
}

// found notes a field of the profile. The first word on a field stands.
func (p *prober) found(field string, value any, because string, args ...any) {
	if _, have := p.values[field]; have {
		return
	}
	p.values[field] = value
	p.report.Findings = append(p.report.Findings, ProbeFinding{Field: field, Value: value, Because: fmt.Sprintf(because, args...)})
}

// revise takes back what was said of a field, for a later trial showed otherwise.
func (p *prober) revise(field string, value any, because string, args ...any) {
	delete(p.values, field)
	p.report.Findings = slices.DeleteFunc(p.report.Findings, func(f ProbeFinding) bool { return f.Field == field })
	p.found(field, value, because, args...)
}

func (p *prober) unknown(format string, args ...any) {
	p.report.Unknown = append(p.report.Unknown, fmt.Sprintf(format, args...))
}

func (p *prober) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(p.report.Notes, text) {
		p.report.Notes = append(p.report.Notes, text)
	}
}

// conclude sorts the findings out: what differs from generic makes the profile.
func (p *prober) conclude() {
	p.report.Profile = map[string]any{}
	for i := range p.report.Findings {
		f := &p.report.Findings[i]
		if f.Differs = !sameJSON(p.generic.field(f.Field), f.Value); f.Differs {
			place(p.report.Profile, f.Field, f.Value)
		}
	}
	slices.SortStableFunc(p.report.Findings, func(a, b ProbeFinding) int { return strings.Compare(a.Field, b.Field) })
	for _, name := range sortedPaths(toAny(p.pacing)) {
		p.note("the application sends %s: %s; write its limits into rate.buckets", name, p.pacing[name])
	}
	p.unknown("what deleting or switching off destroys for good, how long a deletion can be undone, and whom invitations wait for: ask the vendor")
}

// cleanUp removes what was made, newest first, whatever became of ctx.
func (p *prober) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for _, c := range slices.Backward(p.cleanups) {
		a, err := p.send(ctx, "DELETE", c.path, nil)
		if err == nil && (a.ok() || a.status == 404 || a.status == 410) {
			continue
		}
		off := map[string]any{"schemas": []any{patchSchema}, "Operations": []any{map[string]any{"op": "replace", "path": "active", "value": false}}}
		if c.kind == "account" {
			if b, err := p.send(ctx, "PATCH", c.path, off); err == nil && b.ok() {
				p.report.Left = append(p.report.Left, fmt.Sprintf("account %s (%s): cannot be deleted, is switched off", c.name, c.path))
				continue
			}
		}
		p.report.Left = append(p.report.Left, fmt.Sprintf("%s %s (%s): %s", c.kind, c.name, c.path, a.words(err)))
	}
	p.cleanups = nil
}

// made notes something to be removed again.
func (p *prober) made(kind, path, name string) {
	p.cleanups = append(p.cleanups, cleanup{kind, path, name})
}

// forgotten takes something off the list that is gone.
func (p *prober) forgotten(path string) {
	p.cleanups = slices.DeleteFunc(p.cleanups, func(c cleanup) bool { return c.path == path })
}

// unreachable is why a probe cannot go on.
func unreachable(a probeAnswer, err error, what string) error {
	switch {
	case err != nil:
		return model.Fail(model.Unavailable, "the application cannot be reached: "+err.Error(), err)
	case a.status == 401 || a.status == 403:
		return model.Fail(model.Forbidden, fmt.Sprintf("the application refuses the credential (%d): %s", a.status, a.excerpt()), nil)
	}
	return model.Fail(model.Invalid, fmt.Sprintf("%s: %s; is the URL the SCIM base URL, such as https://app.example.com/scim/v2?", what, a.words(nil)), errors.New("no SCIM"))
}
