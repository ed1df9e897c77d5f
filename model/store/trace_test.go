package store_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
	"github.com/scimhub/scimhub/telemetry"
)

// tracedBy is a context in which a sampled span is open.
func tracedBy(t *testing.T, id byte) context.Context {
	t.Helper()
	c := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{id}, SpanID: trace.SpanID{id}, TraceFlags: trace.FlagsSampled})
	return trace.ContextWithSpanContext(telemetry.WithRequest(t.Context(), "r"+string('0'+id)), c)
}

// TestTraceWaits stores the trace with what waits: the last traced write says which, one
// that is not traced leaves it, and once an account is settled there is none.
func TestTraceWaits(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		mark := func(ctx context.Context, who ...string) {
			t.Helper()
			if err := db.Store.Update(ctx, func(tx *store.Tx) error { return tx.Mark(false, who...) }); err != nil {
				t.Fatal(err)
			}
		}
		mark(t.Context(), "a", "b")
		mark(tracedBy(t, 1), "b", "c")
		mark(tracedBy(t, 2), "c")
		mark(t.Context(), "c")
		marks, err := db.Store.ClaimMarks(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"a": "", "b": "00-01", "c": "00-02"}
		for _, m := range marks {
			if w := want[m.Identity]; w == "" != (m.Trace == "") || !strings.HasPrefix(m.Trace, w) || w != "" && !strings.HasSuffix(m.Trace, " r"+w[4:]) {
				t.Errorf("mark of %s carries %q, want %q", m.Identity, m.Trace, w)
			}
		}
		if len(marks) != 3 {
			t.Errorf("%d marks", len(marks))
		}
		row := func(trace string, to *model.Account) model.AccountRow {
			t.Helper()
			a := model.AccountRow{Target: "git", Identity: "a", Desired: to, State: model.StatePending, Due: true, Trace: trace}
			b := model.AccountRow{Target: "chat", Identity: "a", Desired: to, State: model.StatePending, Due: true}
			if err := db.Store.Update(t.Context(), func(tx *store.Tx) error { return tx.SetDesiredAll([]model.AccountRow{a, b}) }); err != nil {
				t.Fatal(err)
			}
			return accountAt(t, db, "git")
		}
		carried := telemetry.Carry(tracedBy(t, 3))
		got := row(carried, &model.Account{UserName: "a"})
		if got.Trace != carried || accountAt(t, db, "chat").Trace != "" {
			t.Errorf("the account carries %q", got.Trace)
		}
		got.Due = true
		settle := func(a model.AccountRow) {
			t.Helper()
			if err := db.Store.Settle(t.Context(), "git", []store.Settlement{{Row: a}}); err != nil {
				t.Fatal(err)
			}
		}
		settle(got)
		if again := accountAt(t, db, "git"); again.Trace != carried {
			t.Error("the next attempt is not traced")
		}
		got.Due = false
		settle(got)
		if again := accountAt(t, db, "git"); again.Trace != "" {
			t.Error("an account that is as it should be carries a trace")
		}
		row(carried, &model.Account{UserName: "b"})
		if later := row("", &model.Account{UserName: "c"}); later.Trace != "" {
			t.Error("a wish of another cause has the trace of the one before")
		}
	})
}

func accountAt(t *testing.T, db *storetest.DB, target string) model.AccountRow {
	t.Helper()
	rows, err := db.Store.Accounts(t.Context(), target, "", 10)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d accounts, %v", len(rows), err)
	}
	return rows[0]
}

// TestAuditNamesRequest shows the request in the data of its entries, whatever else is in
// there, and that the chain binds it.
func TestAuditNamesRequest(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		for _, data := range []string{"", "null", "{}", `{"a":1}`, " {\n\"a\":1}"} {
			entry := store.AuditEntry{Actor: "x", Action: "y", Object: "z", Data: json.RawMessage(data)}
			if err := db.Store.Update(tracedBy(t, 1), func(tx *store.Tx) error { return tx.Audit(entry) }); err != nil {
				t.Fatal(err)
			}
		}
		entries, _, err := db.Store.AuditPage(t.Context(), store.AuditFilter{Limit: 10})
		if err != nil || len(entries) != 5 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for _, e := range entries {
			var got map[string]any
			if err := json.Unmarshal(e.Data, &got); err != nil || got["request_id"] != "r1" {
				t.Errorf("data %s: %v", e.Data, err)
			}
		}
	})
}
