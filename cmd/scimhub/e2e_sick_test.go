package main_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// sickness is one way for an application to be unwell, and what an operator must
// be told of it.
type sickness struct {
	faults  string
	classes []string // error class of the target; none: slow is no error
}

// TestSickTarget: while one application is unwell the others get what is due to
// them, the hub says what is wrong, and afterwards it catches up by itself.
func TestSickTarget(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world) {
		c := newCompany(sized(120, 40, 40), 9, rand.New(rand.NewPCG(3, 4)))
		hr, idp := push(t, w, c)
		w.converge(2*time.Minute, "everybody is everywhere", c)
		list := []sickness{{"500", []string{"server"}}, {"429", []string{"throttled"}}, {"slow:10s", nil},
			{"garbage", []string{"garbage"}}, {"reset", []string{"network", "unknown-outcome"}}}
		if briefly() {
			list = list[:2]
		}
		for n, s := range list {
			if !fullSize() && n%2 == 0 != strings.HasPrefix(w.database, storetest.SQLite) { // an application's illness knows no database
				continue
			}
			illness{t: t, w: w, c: c, hr: hr, idp: idp, sickness: s}.pass()
		}
		w.sound()
	})
}

type illness struct {
	t       *testing.T
	w       *world
	c       *company
	hr, idp *source
	sickness
}

func (i illness) pass() {
	t, w := i.t, i.w
	t.Helper()
	git := w.apps["git"]
	git.faults(t, i.faults)
	joiners := i.joiners()
	for _, p := range joiners {
		if err := pushPerson(t.Context(), i.hr, i.idp, p); err != nil {
			t.Fatal(err)
		}
	}
	w.converge(time.Minute, i.faults+": joiners at the healthy applications", i.c, "chat", "crm")
	i.stillSick(joiners)
	i.told()
	leaver := i.leaver()
	began := time.Now()
	leaver.active = false
	if err := i.hr.patch(t.Context(), "/Users/"+leaver.hrID, op("replace", "active", false)); err != nil {
		t.Fatal(err)
	}
	w.converge(time.Minute, i.faults+": leaver off at the healthy applications", i.c, "chat", "crm")
	healthy := time.Since(began)
	i.stillSick(joiners)

	git.faults(t, "")
	healed := time.Now()
	off := func() error {
		h, err := git.state(t.Context())
		if err == nil && h.accounts[leaver.externalID].active {
			err = errors.New("the leaver is still active")
		}
		return err
	}
	await(t, time.Minute, i.faults+": leaver off at the sick application after it healed", off)
	sick := time.Since(healed)
	w.converge(3*time.Minute, i.faults+": caught up", i.c)
	caughtUp := time.Since(healed)
	t.Logf("%s: leaver off at the healthy ones after %s, at the sick one %s after it healed; caught up %s after", i.faults,
		healthy.Round(time.Millisecond), sick.Round(time.Millisecond), caughtUp.Round(time.Millisecond))
	// Accounts of which an answer was lost are read once more when nothing of then can still
	// arrive, a minute later: that is waited for in full.
	await(t, 3*time.Minute, i.faults+": the target is well again", func() error {
		if v := w.target("git"); v.State != "ok" || v.Pending != 0 && fullSize() || len(v.Errors) != 0 {
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
}

// joiners are new people whom every application concerns.
func (i illness) joiners() []*person {
	var out []*person
	for range 10 {
		p := &person{n: len(i.c.people)}
		p.userName, p.externalID = fmt.Sprintf("joiner%d@example.com", p.n), fmt.Sprintf("J%05d", p.n)
		p.given, p.family, p.title, p.department = "New", fmt.Sprint("Joiner-", p.n), "Lead of something", "Engineering"
		p.active, p.inHR, p.inIDP, p.groups = true, true, p.n%2 == 0, map[string]bool{}
		i.c.people = append(i.c.people, p)
		out = append(out, p)
	}
	return out
}

// stillSick makes sure that the proof is one: the sick application has not got
// what the healthy ones have.
func (i illness) stillSick(joiners []*person) {
	i.t.Helper()
	h, err := i.w.apps["git"].state(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	for _, p := range joiners {
		if a := h.accounts[p.externalID]; a == nil || !slices.Contains(a.groups, "engineers") {
			return
		}
	}
	i.t.Errorf("%s: git has everything already; the others have not overtaken it", i.faults)
}

// told: target show says what is wrong.
func (i illness) told() {
	i.t.Helper()
	await(i.t, 30*time.Second, i.faults+": target show says what is wrong", func() error {
		v := i.w.target("git")
		switch {
		case v.Pending == 0:
			return fmt.Errorf("nothing is pending: %+v", v)
		case len(i.classes) == 0:
			return nil
		case v.State == "ok" || v.LastError == "" || !slices.Contains(i.classes, v.ErrorClass):
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
}

// leaver picks somebody who has an account everywhere since before the illness.
func (i illness) leaver() *person {
	for _, p := range i.c.people {
		if p.active && p.hrID != "" && i.w.ever["git"][p.externalID] && expected("git", p) != nil {
			return p
		}
	}
	i.t.Fatal("nobody is left to leave")
	return nil
}
