package console

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// heldRows is how many held changes a page shows.
const heldRows = 50

// targetView is the page of one target.
type targetView struct {
	admin.TargetView
	Counts    map[string]int // accounts by state
	Total     int            // accounts
	States    []stateCount
	Troubles  []trouble
	Work      []int // changes by hour, the newest last; empty: none lately
	HeldPlan  *heldView
	Sweep     admin.SweepAnswer
	Rates     []rateLine
	Operate   bool // the caller may run the target
	Decide    bool // the caller may release what is held
	Manual    bool
	Paused    bool
	Stopped   bool // paused or in quarantine: it can be resumed
	NextToken bool // there is a credential to rotate to
}

type stateCount struct {
	State model.AccountState
	Count int
	Means string
}

type rateLine struct {
	Kinds []string
	Text  string
	Until *time.Time
}

// heldView is the plan that waits for a person, in words.
type heldView struct {
	admin.HeldPage
	Rows    []heldRow
	More    string // address of the next page
	First   bool   // this is the first page
	Moved   string // the target is another one now: nothing was planned, and nothing is done
	Removes int    // changes that take access away
	Never   int    // changes that cannot be undone
	Sum     string // how many changes do what
}

// heldRow is what would be done with one account, in words.
type heldRow struct {
	model.Change // the first of them
	What         []string
	Fields       []string
	Loses        []string
	Why          []string
	Never        bool // one of them cannot be undone
}

func showTarget(v *Visit) (any, error) {
	out := targetView{Operate: v.Caller.May("operate") == nil, Decide: v.Caller.May("decide") == nil}
	name := v.Var("target")
	if err := v.Get(&out.TargetView, "/targets/%s?changes=false", name); err != nil {
		return nil, err
	}
	out.Counts, out.Manual, out.Paused = countsOf(out.Accounts), out.Profile == "manual", out.State == "paused"
	if out.Held != nil && out.State == "ok" {
		out.State = "held"
	}
	out.Stopped = out.Paused || out.Quarantine != nil
	for _, s := range accountStates {
		if n := out.Accounts[s.State]; n > 0 {
			out.States, out.Total = append(out.States, stateCount{s.State, n, s.Means}), out.Total+n
		}
	}
	if out.Held != nil {
		held, err := heldPlanOf(v, name, out.TargetView)
		if err != nil {
			return nil, err
		}
		out.HeldPlan = held
	}
	if !out.Manual {
		if err := v.Get(&out.Sweep, "/targets/%s/drift?limit=1", name); err != nil {
			return nil, err
		}
	}
	for _, c := range out.Credentials {
		out.NextToken = out.NextToken || !c.InUse && c.Slot == model.SlotNext
	}
	out.Rates = rateLines(out.TargetView)
	out.Troubles = targetTroubles(out.TargetView)
	out.Work, _ = lastHours(v.console.Now(), out.Hours)
	return out, nil
}

func heldPlanOf(v *Visit, name string, t admin.TargetView) (*heldView, error) {
	out := &heldView{First: v.Query("held") == ""}
	path := Query(pathOf("/targets/%s/held", name), "limit", strconv.Itoa(heldRows), "cursor", v.Query("held"))
	if err := v.Get(&out.HeldPage, path); err != nil {
		return nil, err
	}
	if out.Digest != t.Held.Digest { // the whole target waits, not a plan
		*out = heldView{HeldPage: admin.HeldPage{Digest: t.Held.Digest, Accounts: t.Held.Count}, First: true, Moved: t.Held.Reason}
		return out, nil
	}
	var sum []string
	for _, c := range out.Verbs {
		text := number(c.Count) + " to " + verbWords(c.Verb, "")
		if c.Never > 0 {
			text += " (" + number(c.Never) + " cannot be undone)"
		}
		sum = append(sum, text)
		if (model.Change{Verb: c.Verb}).Removes() {
			out.Removes += c.Count
		}
		out.Never += c.Never
	}
	out.Sum = strings.Join(sum, ", ")
	out.Rows, out.Reasons = heldRowsOf(out.Items), alike(out.Reasons)
	if out.Next != "" {
		out.More = v.Again("held", out.Next) + "#held"
	}
	return out, nil
}

// heldRowsOf puts the changes of one account that follow each other into one row.
func heldRowsOf(changes []model.Change) (out []heldRow) {
	for _, c := range changes {
		n := len(out)
		if n == 0 || c.Identity == "" || out[n-1].Identity != c.Identity {
			out, n = append(out, heldRow{Change: c}), n+1
		}
		row := &out[n-1]
		row.What = append(row.What, verbWords(c.Verb, c.Group))
		row.Never = row.Never || c.Undo == model.UndoNever
		if c.Loses != "" && !slices.Contains(row.Loses, c.Loses) {
			row.Loses = append(row.Loses, c.Loses)
		}
		for _, d := range c.Fields {
			row.Fields = append(row.Fields, d.Path+": "+shownValue(d.Before)+" → "+shownValue(d.After))
		}
		for _, because := range c.Because {
			if !slices.Contains(row.Why, because) {
				row.Why = append(row.Why, because)
			}
		}
	}
	return out
}

// alike keeps the first of the reasons that differ by their numbers alone.
func alike(reasons []string) (out []string) {
	seen := map[string]bool{}
	for _, r := range reasons {
		form := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return -1
			}
			return c
		}, r)
		if !seen[form] {
			seen[form] = true
			out = append(out, r)
		}
	}
	return out
}

// accountStates are all states, what is well first, and what they mean.
var accountStates = []struct { //nolint:gochecknoglobals // read only
	State model.AccountState
	Means string
}{
	{model.StateInSync, "as it should be"},
	{model.StateDisabled, "no longer due, switched off"},
	{model.StatePending, "to be worked on"},
	{model.StateHeld, "waits for a person"},
	{model.StateDrifted, "changed by somebody else at the application"},
	{model.StateFailed, "the last attempt failed; it is tried again"},
	{model.StateUnknown, "there, but not the hub's"},
	{model.StateDeleted, "no longer due, gone"},
}

// targetTroubles says what is wrong with a target, the most urgent first.
func targetTroubles(t admin.TargetView) []trouble {
	out := stateTroubles(t.State, t.Quarantine, t.ErrorClass, t.LastError, t.RetryAt)
	if t.Held != nil {
		out = append(out, heldTrouble(t.Name, t.Held.Count))
	}
	out = append(out, errorTroubles(t.Name, t.Errors, t.State, t.ErrorClass)...)
	if t.AwaitPerson > 0 {
		out = append(out, trouble{Severity: "info", Text: capital(plural(t.AwaitPerson, "account")) + " wait for somebody to do a task.", Link: Query("/tasks", "target", t.Name), LinkText: "Tasks"})
	}
	if t.Refused != "" {
		out = append(out, trouble{Severity: "warn", Text: "Nothing was concluded from the last sweep: " + t.Refused + ".", Link: Query("/drift", "target", t.Name), LinkText: "Drift"})
	}
	for _, d := range t.Doubts {
		out = append(out, trouble{Severity: "warn", Text: "An answer of the application is not believed: " + d + "."})
	}
	for _, w := range t.Warnings {
		out = append(out, trouble{Severity: "warn", Text: capital(w) + ".", Link: "#credentials", LinkText: "Credentials"})
	}
	return out
}

func rateLines(t admin.TargetView) (out []rateLine) {
	for _, r := range t.Rate {
		text := strconv.FormatFloat(r.PerSecond, 'f', -1, 64) + " a second"
		if r.PerSecond > 0 && r.PerSecond < 1 {
			text = strconv.FormatFloat(r.PerSecond*60, 'f', 1, 64) + " a minute"
		}
		if r.Burst > 1 {
			text += ", " + strconv.Itoa(r.Burst) + " at once"
		}
		out = append(out, rateLine{r.Kinds, text, r.PausedUntil})
	}
	return out
}
