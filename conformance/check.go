package conformance

import (
	"slices"
	"strings"
)

// Level says how strongly the standard asks for what a check looks at (RFC 2119).
type Level string

// The levels. Not meeting a Must is a failure, anything else a warning.
const (
	Must   Level = "must"
	Should Level = "should"
	May    Level = "may"
)

// Info describes a check.
type Info struct {
	ID        string   `json:"id"` // group.name
	Group     string   `json:"group"`
	Level     Level    `json:"level"`
	Title     string   `json:"title"`              // what holds if it passes
	Reference string   `json:"reference"`          // such as "RFC 7644 §3.3"
	Why       string   `json:"why"`                // what goes wrong in practice if it does not
	Profiles  []string `json:"profiles,omitempty"` // where it applies; empty means everywhere
}

// check is an Info with the means to find out. Exactly one of run and watch is set;
// with each, run is called once for each subject.
type check struct {
	Info
	needs []string // features, see suite.lacks
	run   func(*probe)
	each  func(*suite) []subject
	watch func(*answer) observation
}

// subject is what one of several results of a check is about.
type subject struct {
	name string // such as "User name.givenName"
	typ  *resourceType
	attr *attribute
}

// observation is what a watching check thinks of one answer. The zero value means
// that the answer is none of its business.
type observation struct {
	relevant      bool
	expected, got string // a finding if expected is not empty
}

// fine is an answer that is as it should be.
func fine() observation { return observation{relevant: true} }

// judge is fine, or a finding.
func judge(ok bool, expected, got string) observation {
	if ok {
		return fine()
	}
	return observation{relevant: true, expected: expected, got: got}
}

func newCheck(level Level, id, ref, title, why string, run func(*probe)) check {
	group, _, _ := strings.Cut(id, ".")
	return check{Info: Info{ID: id, Group: group, Level: level, Title: title, Reference: ref, Why: why}, run: run}
}

func must(id, ref, title, why string, run func(*probe)) check {
	return newCheck(Must, id, ref, title, why, run)
}

func should(id, ref, title, why string, run func(*probe)) check {
	return newCheck(Should, id, ref, title, why, run)
}

func may(id, ref, title, why string, run func(*probe)) check {
	return newCheck(May, id, ref, title, why, run)
}

// watching turns a check into one that looks at every answer.
func (c check) watching(f func(*answer) observation) check {
	c.run, c.watch = nil, f
	return c
}

// over makes one result for each subject.
func (c check) over(f func(*suite) []subject) check {
	c.each = f
	return c
}

// with adds features that the check needs, separated by spaces.
func (c check) with(features string) check {
	c.needs = append(slices.Clone(c.needs), strings.Fields(features)...)
	return c
}

// in restricts the check to profiles, separated by spaces.
func (c check) in(profiles string) check {
	c.Profiles = strings.Fields(profiles)
	return c
}

// notIn restricts the check to all profiles but these.
func (c check) notIn(profiles string) check {
	out := strings.Fields(profiles)
	c.Profiles = slices.DeleteFunc(Profiles(), func(p string) bool { return slices.Contains(out, p) })
	return c
}

// appliesTo reports whether the check is meant for a profile.
func (c check) appliesTo(profile string) bool {
	return len(c.Profiles) == 0 || slices.Contains(c.Profiles, profile)
}

// all adds features to every check of a list.
func all(features string, list []check) []check {
	for i := range list {
		list[i] = list[i].with(features)
	}
	return list
}

// Profiles lists the profiles by name: the standard, the strict interoperability
// profile, and the clients whose habits a service may want to accept.
func Profiles() []string {
	return []string{"rfc", "interop", "okta", "entra", "onelogin", "lenient"}
}

// catalogue is every check in the order in which they run and are reported.
func catalogue() []check {
	return slices.Concat(
		discoveryChecks(), discoveryDetailChecks(), authChecks(), httpChecks(), errorChecks(), resourceChecks(),
		createChecks(), createDetailChecks(), readChecks(), listChecks(), filterChecks(), filterDetailChecks(), filterRefusalChecks(),
		sortChecks(), cursorChecks(), searchChecks(), putChecks(),
		patchChecks(), patchPathlessChecks(), patchDetailChecks(), patchRefusalChecks(),
		deleteChecks(), etagChecks(), bulkChecks(), groupChecks(), groupDetailChecks(), raceChecks(), attributeChecks(),
		entraChecks(), entraPatchChecks(), entraGroupChecks(), oktaChecks(), oneLoginChecks(), interopChecks(),
	)
}

// List describes the checks of a profile, of all profiles if it is empty.
func List(profile string) []Info {
	var out []Info
	for _, c := range catalogue() {
		if profile == "" || c.appliesTo(profile) {
			out = append(out, c.Info)
		}
	}
	return out
}

// selected reports whether one of the words names the check: its id, its group, or
// the beginning of its id.
func selected(c check, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return w == c.Group || w == c.ID || strings.HasSuffix(w, "*") && strings.HasPrefix(c.ID, strings.TrimSuffix(w, "*"))
	})
}

// unknownWord returns the first word that selects nothing.
func unknownWord(words []string) string {
	list := catalogue()
	for _, w := range words {
		if !slices.ContainsFunc(list, func(c check) bool { return selected(c, []string{w}) }) {
			return w
		}
	}
	return ""
}
