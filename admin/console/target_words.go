package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// errorWords says what a class of errors means and what to do about it.
func errorWords(class string) (what, do string) {
	for _, x := range []struct{ class, what, do string }{
		{"credentials", "the application refuses the hub's credential", "Check the token in the application, then put the new one into the configuration or rotate it here."},
		{"throttled", "the application asks the hub to slow down", "Nothing: the hub waits as long as it was told to. Lower the rate in the configuration if this does not end."},
		{"conflict", "the application says that the account is there already, or finds more than one", "Look at the accounts below: rename or merge the double ones in the application, or let the hub adopt them."},
		{"invalid", "the application refuses the data", "Look at the first of the messages: an attribute is missing or has a value that the application does not take. Put the source or the mapping right."},
		{"missing", "the account or group is not at the application any more", "Ask for a sweep: it finds what is gone, and the drift policy decides what follows."},
		{"server", "the application has a fault of its own", "Nothing for a while: it is tried again by itself. Tell whoever runs the application if it stays."},
		{"network", "the application cannot be reached", "Check its address, the name service and the firewall."},
		{"timeout", "the application does not answer in time", "It is tried again by itself. Lower the concurrency in the configuration if this does not end."},
		{"garbage", "the answer of the application is no SCIM", "Check the URL in the configuration: something else answers there, for example a sign-in page. Probe the application."},
		{"unknown-outcome", "a change was sent and its answer was lost", "Nothing: the hub looks at the account before it does anything else."},
		{"not-readable", "the application never shows what was asked for", "Nothing can be verified there; see what its profile says."},
	} {
		if x.class == class {
			return x.what, x.do
		}
	}
	return words(class), "Look at the accounts below for the exact messages."
}

// stateTroubles says what is wrong with a target as a whole.
func stateTroubles(state string, q *admin.QuarantineView, class, lastError string, retry *time.Time) []trouble {
	next := ""
	if retry != nil {
		next = " It is tried again at " + retry.UTC().Format("15:04:05 UTC") + "."
	}
	switch {
	case q != nil:
		next = ""
		if q.NextProbe != nil {
			next = " The next look is at " + q.NextProbe.UTC().Format("15:04:05 UTC") + "."
		}
		return []trouble{{Severity: "bad", Text: "In quarantine: " + q.Reason + ". Only leavers' access is taken away meanwhile." + next,
			Do: "Put right what is named, then resume. It also ends by itself once the application answers well."}}
	case state == "paused":
		return []trouble{{Severity: "warn", Text: "Paused by an operator: nothing is changed there, and nobody's access is taken away, not even leavers'.", Do: "Resume as soon as the reason is gone."}}
	case state == "failing":
		what, do := errorWords(class)
		text := "Attempts fail: " + what + "."
		if lastError != "" {
			text += " Last answer: " + strings.TrimSuffix(shorten(lastError, 160), ".") + "."
		}
		severity := "bad"
		if slices.Contains([]string{"server", "timeout", "throttled", "unknown-outcome"}, class) { // it may end by itself
			severity = "warn"
		}
		return []trouble{{Severity: severity, Text: text + next, Do: do}}
	}
	return nil
}

// cardTroubles says what is wrong with a target, the most urgent first.
func cardTroubles(t admin.TargetCard) []trouble {
	out := stateTroubles(t.State, t.Quarantine, t.ErrorClass, t.LastError, t.RetryAt)
	if t.Held > 0 || t.State == "held" {
		out = append(out, heldTrouble(t.Name, t.Held))
	}
	out = append(out, errorTroubles(t.Name, t.Errors, t.State, t.ErrorClass)...)
	for _, w := range t.Warnings {
		out = append(out, trouble{Severity: "warn", Text: capital(w) + ".", Link: pathOf("/targets/%s", t.Name) + "#credentials", LinkText: "Credentials"})
	}
	return out
}

func heldTrouble(target string, n int) trouble {
	text := "Changes are held and wait for a person."
	if n > 0 {
		text = "Changes of " + plural(n, "account") + " are held and wait for a person."
	}
	return trouble{Severity: "warn", Text: text, Do: "Look at the plan, and release it if it is meant.", Link: pathOf("/targets/%s", target) + "#held", LinkText: "Held plan", Count: n}
}

// errorTroubles are the accounts that fail, by class, the most first. What to do about
// that of a target that fails as a whole is said already.
func errorTroubles(target string, errors map[string]int, state, said string) (out []trouble) {
	classes := slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		if errors[a] != errors[b] {
			return errors[b] - errors[a]
		}
		return strings.Compare(a, b)
	})
	for _, class := range classes {
		if errors[class] == 0 {
			continue
		}
		what, do := errorWords(class)
		if state == "failing" && class == said {
			do = ""
		}
		out = append(out, trouble{Severity: "warn", Text: fmt.Sprintf("%s: %s.", capital(plural(errors[class], "account")), what), Do: do, Count: errors[class],
			Link: Query(pathOf("/targets/%s/accounts", target), "class", class), LinkText: "Accounts"})
	}
	return out
}

// lastHours lays out what was done, and what was tried in vain, in each of the last 48
// hours.
func lastHours(now time.Time, list []admin.HourView) (done, failed []int) {
	const hours = 48
	done, failed = make([]int, hours), make([]int, hours)
	for _, h := range list {
		if at := hours - 1 - int(now.Truncate(time.Hour).Sub(h.Hour.Truncate(time.Hour))/time.Hour); at >= 0 && at < hours {
			done[at] += h.Done
			failed[at] += h.Failed
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	return done, failed
}

// verbWords says what a change does; with a group, to which.
func verbWords(v model.Verb, group string) string {
	switch v {
	case model.Disable:
		return "switch off"
	case model.Adopt:
		return "take over"
	case model.Update:
		return "change"
	case model.Join:
		return strings.TrimSpace("add to group " + group)
	case model.Part:
		return strings.TrimSpace("remove from group " + group)
	case model.CreateGroup:
		return strings.TrimSpace("create group " + group)
	case model.AdoptGroup:
		return strings.TrimSpace("take over group " + group)
	case model.RenameGroup:
		return strings.TrimSpace("rename to group " + group)
	case model.DeleteGroup:
		return strings.TrimSpace("delete group " + group)
	case model.Create, model.Delete, model.Report:
	}
	return words(string(v))
}

// shorten cuts a text, and says so.
func shorten(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// capital begins a sentence.
func capital(text string) string {
	r := []rune(text)
	if len(r) == 0 {
		return text
	}
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}
