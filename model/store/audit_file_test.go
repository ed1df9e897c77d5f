package store_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func export(t *testing.T, db *storetest.DB, part store.AuditRange) string {
	t.Helper()
	var out bytes.Buffer
	w := store.NewAuditWriter(&out)
	if err := db.ExportAudit(t.Context(), part, false, w.Begin, w.Add); err != nil {
		t.Fatal(err)
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// written is a trail with everything in it that an export has to bring back: odd data, an
// erasure, a beginning, checkpoints.
func writtenTrail(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
	t.Helper()
	for n := range 60 {
		e := entry(n)
		e.Actor = "a\"b\\ü\u2028<&>"
		switch n % 4 {
		case 1:
			e.Data = []byte("{ \"spaced\" : [1, 2.50] }")
		case 2:
			e.Data = []byte(`{"html":"<b>&amp;</b>","sep":"` + "\u2028" + `"}`)
		case 3:
			e.Data = nil
		}
		update(t, db, func(tx *store.Tx) error { return tx.Audit(e) })
		clock.Add(time.Hour)
	}
	eraseOne(t, db, "i1")
	if _, _, err := db.PruneAudit(t.Context(), noon().Add(10*time.Hour)); err != nil {
		t.Fatal(err)
	}
	sign(t, db, keyOf(1), 0)
	update(t, db, func(tx *store.Tx) error { return tx.Audit(entry(1)) })
}

func TestReadAudit(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		writtenTrail(t, db, clock)
		n := verifyAudit(t, db)
		key := []ed25519.PublicKey{publicOf(keyOf(1))}
		whole := export(t, db, store.AuditRange{})
		read := func(text string, keys []ed25519.PublicKey) store.AuditFile {
			t.Helper()
			f, err := store.ReadAudit(strings.NewReader(text), keys, nil)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		if f := read(whole, key); f.Checked != n || len(f.Faults) > 0 || f.Checkpoints != 1 || !f.Export.Complete {
			t.Errorf("whole: %d entries, want %d, %v", f.Checked, n, f.Faults)
		}
		for name, part := range map[string]store.AuditRange{
			"since": {Since: noon().Add(40 * time.Hour)}, "until": {Until: noon().Add(20 * time.Hour)}, "person": {Identity: "i1"}, "none": {Identity: "nobody"},
		} {
			text := export(t, db, part)
			if f := read(text, key); len(f.Faults) > 0 || f.Export.Complete || f.Checked >= n || (f.Checked == 0) != (name == "none") {
				t.Errorf("%s: %d entries, %v", name, f.Checked, f.Faults)
			}
		}
		lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
		lane0 := 1
		for !sameLane(lines[lane0], lines[lane0+1]) {
			lane0++
		}
		swapped := append([]string(nil), lines...)
		swapped[lane0], swapped[lane0+1] = swapped[lane0+1], swapped[lane0]
		for name, text := range map[string]string{
			"actor":       strings.Replace(whole, `"action":"test.act"`, `"action":"test.other"`, 1),
			"cut off":     strings.Join(lines[:len(lines)-1], ""),
			"one missing": strings.Join(append(append([]string(nil), lines[:lane0]...), lines[lane0+1:]...), ""),
			"swapped":     strings.Join(swapped, ""),
			"twice":       strings.Replace(whole, lines[lane0], lines[lane0]+lines[lane0], 1),
			"goes on":     whole + lines[lane0],
			"head":        strings.Replace(whole, `"heads":[{"lane":0,"seq":`, `"heads":[{"lane":0,"seq":1`, 1),
			"salt":        strings.Replace(whole, `"salt":"`, `"salt":"AAAA`, 1),
		} {
			if f := read(text, key); text == whole || len(f.Faults) == 0 {
				t.Errorf("%s: not found", name)
			}
		}
		if f := read(whole, []ed25519.PublicKey{publicOf(keyOf(2))}); len(f.Faults) != 1 {
			t.Errorf("another key: %v", f.Faults)
		}
		part := export(t, db, store.AuditRange{Since: noon().Add(40 * time.Hour)})
		if f := read(strings.Replace(part, `"object":"thing/5`, `"object":"thing/6`, 1), key); len(f.Faults) == 0 {
			t.Error("a changed entry in a part: not found")
		}
	})
}

func sameLane(a, b string) bool {
	cut := func(s string) string { before, _, _ := strings.Cut(s, ","); return before }
	return cut(a) == cut(b)
}

func TestReadAuditBadInput(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "no JSON": "hello", "no head": `{"lane":1}`, "broken line": `{"audit_export":{"complete":true}}` + "\n{", "a list": "[]",
		"wrong type": `{"audit_export":{"complete":true}}` + "\n" + `{"lane":"x"}`,
	} {
		f, err := store.ReadAudit(strings.NewReader(text), nil, nil)
		if err == nil && len(f.Faults) == 0 {
			t.Errorf("%s: taken: %+v", name, f)
		}
		if err != nil && name != "empty" && model.CodeOf(err) != model.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		const people, rounds = 3, 5
		for round := range rounds {
			for p := range people {
				update(t, db, func(tx *store.Tx) error {
					return tx.AddHistory(fmt.Sprint("i", p), store.HistoryDoc{Name: fmt.Sprint(p, ".", round), User: map[string]any{"n": round}})
				})
			}
			clock.Add(time.Hour)
		}
		var names []string
		cursor := ""
		for range 20 {
			page, next, err := db.History(t.Context(), noon().Add(time.Hour), cursor, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				names = append(names, r.Doc.Name)
			}
			if cursor = next; next == "" {
				break
			}
		}
		if len(names) != people*(rounds-1) || names[0] != "0.1" || names[1] != "1.1" || names[len(names)-1] != "2.4" {
			t.Errorf("in order of time: %v", names)
		}
		if _, _, err := db.History(t.Context(), noon(), "x", 2); model.CodeOf(err) != model.Invalid {
			t.Errorf("a bad cursor: %v", err)
		}
		// The clock is set back: what came last counts, at once.
		clock.Set(noon())
		update(t, db, func(tx *store.Tx) error { return tx.AddHistory("i0", store.HistoryDoc{Name: "last"}) })
		for at, want := range map[time.Duration]string{-time.Minute: "", 0: "0.0", 90 * time.Minute: "0.1", 4 * time.Hour: "last", 99 * time.Hour: "last"} {
			update(t, db, func(tx *store.Tx) error {
				r, found, err := tx.HistoryAt("i0", noon().Add(at))
				if err != nil || found != (want != "") || r.Doc.Name != want {
					t.Errorf("at %s: %q %v, want %q", at, r.Doc.Name, err, want)
				}
				return nil
			})
		}
		update(t, db, func(tx *store.Tx) error { return tx.EraseHistory("i1") })
		if n := db.Int(t, `SELECT count(*) FROM identity_history WHERE identity_id = 'i1'`); n != 0 {
			t.Errorf("%d rows of somebody erased", n)
		}
	})
}

// TestAccountHistory: an account is noted when it changes, and only then.
func TestAccountHistory(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		wanted := &model.Account{UserName: "ada", Active: true, Groups: []string{"eng"}}
		row := model.AccountRow{Target: "git", Identity: "i1", Desired: wanted, State: model.StatePending, Due: true}
		set := func() { update(t, db, func(tx *store.Tx) error { return tx.SetDesired(row) }) }
		settle := func(state model.AccountState, applied *model.Account, class string) {
			done := row
			done.Generation, done.State, done.Applied, done.ErrorClass, done.LastError = int64(db.Int(t, `SELECT generation FROM accounts`)), state, applied, class, class
			if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: done}}); err != nil {
				t.Fatal(err)
			}
		}
		steps := []func(){
			set,
			func() { settle(model.StateFailed, nil, "unavailable") },
			func() { settle(model.StateFailed, nil, "unavailable") }, // again: no news
			func() { settle(model.StateInSync, wanted, "") },
			func() { settle(model.StateInSync, wanted, "") }, // verified again: no news
			func() { settle(model.StateHeld, wanted, "") },
		}
		for _, do := range steps {
			do()
			clock.Add(time.Hour)
		}
		if n := db.Int(t, `SELECT count(*) FROM account_history`); n != 4 {
			t.Errorf("%d versions, want 4", n)
		}
		for hour, want := range map[int]string{-1: "", 0: "pending false", 1: "failed false", 2: "failed false", 3: "in_sync true", 4: "in_sync true", 9: "held true"} {
			update(t, db, func(tx *store.Tx) error {
				got := ""
				list, err := tx.AccountsAt("i1", noon().Add(time.Duration(hour)*time.Hour))
				for _, a := range list {
					got = fmt.Sprint(a.State, " ", a.Applied != nil && a.Applied.Active && len(a.Applied.Groups) == 1)
				}
				if got != want || err != nil {
					t.Errorf("hour %d: %q %v, want %q", hour, got, err, want)
				}
				return nil
			})
		}
		if n := db.Int(t, `SELECT count(*) FROM audit WHERE action = 'target.held'`); n != 1 {
			t.Errorf("%d entries say that the change is held, want 1", n)
		}
	})
}
