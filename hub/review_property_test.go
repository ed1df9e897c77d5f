package hub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// TestReviewAgainstOracle starts random campaigns, has random people decide at random,
// and compares each item, and what everybody holds, with a few lines that say what has
// to come of it. Nobody reviews themselves, nobody decides who is not asked, and nothing
// is taken away without a decision or the rule about the undecided.
func TestReviewAgainstOracle(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		o := newOracle(w)
		for seed := range uint64(5) {
			o.run(rand.New(rand.NewPCG(seed, 23)), seed)
			if w.t.Failed() {
				return
			}
		}
	})
}

type oracle struct {
	*world
	manager map[string]string // by name; empty: none
	ids     map[string]string // identity by name
	names   []string
}

func newOracle(w *world) *oracle {
	boss := w.person("boss", "title", "Boss")
	o := &oracle{world: w, manager: map[string]string{"boss": ""}, ids: map[string]string{"boss": w.identityOf(boss.ID)}, names: []string{"boss"}}
	for name, title := range map[string]string{"ann": "Engineer", "bob": "Engineer", "sec1": "Security", "sec2": "Security"} {
		o.ids[name] = w.identityOf(w.managed(name, title, boss.ID))
		o.manager[name] = "boss"
		o.names = append(o.names, name)
	}
	slices.Sort(o.names)
	w.evaluate()
	w.written()
	return o
}

// mayDecide is who is asked about what somebody has.
func (o *oracle) mayDecide(stage []string, actor, person string) bool {
	if actor == person {
		return false
	}
	if actor == "" {
		return true
	}
	for _, key := range stage {
		if key == "manager" && o.manager[person] == actor || key == "role:security" && strings.HasPrefix(actor, "sec") && o.holds(actor, "security") || key == "user:"+actor {
			return true
		}
	}
	return false
}

func (o *oracle) holds(name, role string) bool {
	return slices.Contains(o.state(o.ids[name]).roles, role)
}

type expected struct {
	person, role string
	verdict      string // of the present stage
	until        time.Time
}

func (o *oracle) run(r *rand.Rand, seed uint64) {
	t := o.t
	day := 24 * time.Hour
	undecided := []string{model.UndecidedKeep, model.UndecidedRevoke}[r.IntN(2)]
	stages := []model.ReviewStage{}
	for range 1 + r.IntN(2) {
		stages = append(stages, model.ReviewStage{Reviewers: [][]string{{"manager"}, {"role:security"}, {"user:ann", "manager"}}[r.IntN(3)], Within: 3 * day})
	}
	scope := []model.ReviewScope{{Role: "employee"}, {Role: "engineer"}, {Manager: "boss"}, {Target: "git"}, {Risk: "high"}}[r.IntN(5)]
	v := o.ask(ops(), hub.NewReview{Scope: scope, Stages: stages, Undecided: undecided})
	items := map[string]*expected{}
	for _, i := range o.items(v.ID) {
		items[i.ID] = &expected{person: i.Person, role: i.Role}
		if !inRandomScope(scope, i, o.manager) {
			t.Errorf("seed %d: %s of %s is not in the scope %+v", seed, i.Role, i.Person, scope)
		}
	}
	if want := o.inScope(scope); want != len(items) {
		t.Errorf("seed %d: %d items of %+v, not %d", seed, len(items), scope, want)
	}
	for n, stage := range stages {
		o.decide(r, seed, v.ID, stage.Reviewers, items)
		if n < len(stages)-1 {
			o.clock.Add(3*day + time.Minute)
			o.reviews()
			for _, e := range items {
				e.verdict = ""
			}
		}
	}
	if r.IntN(2) == 0 {
		o.clock.Add(3*day + time.Minute)
	} else if _, err := o.CloseReview(t.Context(), ops(), v.ID, hub.ReviewClosing{Force: true, Reason: "enough"}); err != nil {
		t.Fatal(err)
	}
	o.reviews()
	o.written()
	o.clock.Add(10 * time.Minute)
	o.reviews()
	o.check(seed, v.ID, undecided, items)
	o.restore()
}

// inScope counts what a campaign of a scope has to look at.
func (o *oracle) inScope(s model.ReviewScope) (n int) {
	for _, name := range o.names {
		for _, role := range o.state(o.ids[name]).roles {
			if inRandomScope(s, hub.ReviewItemView{ReviewItem: model.ReviewItem{Person: name, Role: role}}, o.manager) {
				n++
			}
		}
	}
	return n
}

func inRandomScope(s model.ReviewScope, i hub.ReviewItemView, manager map[string]string) bool {
	switch {
	case s.Role != "":
		return i.Role == s.Role
	case s.Manager != "":
		return manager[i.Person] == "boss"
	}
	return i.Role == "engineer" // the only one of high risk, and the only one at git by a rule
}

func (o *oracle) decide(r *rand.Rand, seed uint64, review string, stage []string, items map[string]*expected) {
	ids := make([]string, 0, len(items))
	for id := range items {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for range 6 * len(ids) {
		id := ids[r.IntN(len(ids))]
		e := items[id]
		actor := append(slices.Clone(o.names), "")[r.IntN(len(o.names)+1)]
		who := ops()
		if actor != "" {
			who = asPerson(actor)
		}
		v := hub.ReviewVerdict{Verdict: []string{"keep", "revoke", "until"}[r.IntN(3)], Reason: "because"}
		if v.Verdict == "until" {
			at := o.clock.Now().Add(time.Duration(100+r.IntN(100)) * 24 * time.Hour)
			v.Until = &at
		}
		noReason := v.Verdict == "revoke" && r.IntN(5) == 0
		if noReason {
			v.Reason = " "
		}
		if actor != "" && r.IntN(4) == 0 { // an admin who is somebody here
			who, actor = hub.Who{Name: "adm", Person: actor, Operator: true, Override: true}, actor+"!"
		}
		may := o.mayDecide(stage, strings.TrimSuffix(actor, "!"), e.person) || strings.HasSuffix(actor, "!") && actor != e.person+"!"
		now, err := o.DecideReview(o.t.Context(), who, review, id, v)
		switch {
		case err == nil && (!may || noReason):
			o.t.Errorf("seed %d: %q decided %s about %s of %s", seed, actor, v.Verdict, e.role, e.person)
		case err != nil && may && !noReason && !(now.ID == "" && taken(o, review, id) && v.Verdict == "revoke"):
			o.t.Errorf("seed %d: %q cannot decide %s about %s of %s: %v", seed, actor, v.Verdict, e.role, e.person, err)
		}
		if err == nil {
			if e.verdict = v.Verdict; v.Until != nil {
				e.until = *v.Until
			}
		}
		if r.IntN(3) == 0 {
			o.evaluate()
		}
	}
}

// taken reports whether an item was taken away already, which is not done twice.
func taken(o *oracle, review, id string) bool {
	for _, i := range o.items(review) {
		if i.ID == id {
			return i.State == model.ItemEvaluated || i.State == model.ItemRevoked
		}
	}
	return false
}

func (o *oracle) check(seed uint64, review, undecided string, items map[string]*expected) {
	v, err := o.ShownReview(o.t.Context(), ops(), true, review)
	if err != nil || v.State != model.CampaignClosed || v.Digest == "" {
		o.t.Fatalf("seed %d: %+v %v", seed, v, err)
	}
	states := map[model.ItemState]int64{}
	for _, i := range o.items(review) {
		e := items[i.ID]
		want := map[string]model.ItemState{"keep": model.ItemKept, "revoke": model.ItemRevoked, "until": model.ItemEnding}[e.verdict]
		if e.verdict == "" {
			want = map[string]model.ItemState{model.UndecidedKeep: model.ItemUndecided, model.UndecidedRevoke: model.ItemRevoked}[undecided]
		}
		if i.State != want {
			o.t.Errorf("seed %d: %s of %s is %s, not %s: %+v", seed, e.role, e.person, i.State, want, i.ReviewItem)
		}
		if held := o.holds(e.person, e.role); held != (want != model.ItemRevoked) {
			o.t.Errorf("seed %d: %s, %s: %s is held %t", seed, e.person, want, e.role, held)
		}
		if i.Sealed == "" || i.Decision != nil && i.Decision.Person == i.Identity {
			o.t.Errorf("seed %d: %+v", seed, i.ReviewItem)
		}
		states[i.State]++
	}
	n := v.Counts
	if n.Pending != 0 || n.Nobody != 0 || n.Kept != states[model.ItemKept] || n.Revoked != states[model.ItemRevoked] || n.Ending != states[model.ItemEnding] || n.Items != int64(len(items)) {
		o.t.Errorf("seed %d: counts %+v, items %v", seed, n, states)
	}
}

// restore gives back what was taken away.
func (o *oracle) restore() {
	for {
		list, _, err := o.Exclusions(o.t.Context(), "", false, "", 100)
		if err != nil {
			o.t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			if _, err := o.EndExclusion(o.t.Context(), ops(), e.ID, "again"); err != nil {
				o.t.Fatal(err)
			}
		}
	}
	o.evaluate()
	o.written()
	if got := fmt.Sprint(o.state(o.ids["ann"]).roles, o.state(o.ids["sec1"]).roles); got != "[employee engineer] [employee security]" {
		o.t.Fatalf("given back: %s", got)
	}
}
