package fanout

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestTenantOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://Git.example.com/scim/v2/":    "git.example.com/scim/v2",
		"http://git.example.com:80/scim/v2":   "git.example.com/scim/v2",
		"https://git.example.com:8443/T%2F1/": "git.example.com:8443/T%2F1",
		"https://git.example.com":             "git.example.com",
	} {
		if got := tenantOf(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// moveTo restarts the worker with another URL.
func (w *world) moveTo(url string) {
	w.t.Helper()
	w.stop()
	w.target.URL = url
	snapshot := &Snapshot{Version: 2, Targets: []model.Target{w.target}}
	w.worker.Current = func() *Snapshot { return snapshot }
	w.start()
}

// Another tenant: nothing is done there, not even for a leaver, until somebody says so.
func TestOtherTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.wantMany(5)
	w.allIn(model.StateInSync)
	other, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(other.Handler())
	t.Cleanup(server.Close)
	w.moveTo(server.URL + app.Prefix)
	w.want(model.AccountRow{Identity: "id-user00001", Leaver: true}, model.AccountRow{Identity: "new", Desired: account("new")})
	var moved *store.Moved
	w.until("the move is noticed", func(map[string]model.AccountRow) bool {
		st, err := w.store.TargetState(t.Context(), "git")
		moved = st.Moved
		return err == nil && moved != nil
	})
	if !strings.Contains(moved.Words, "0 of 5 accounts") || !strings.Contains(moved.Words, "target release git "+moved.Digest) {
		t.Errorf("words: %s", moved.Words)
	}
	rows := w.rows()
	if r := rows["id-user00001"]; r.State != model.StatePending || r.RemoteID == "" {
		t.Errorf("leaver: %s, id %q", r.State, r.RemoteID)
	}
	if n := len(other.State(server.URL).Users); n != 0 {
		t.Errorf("%d accounts made at the other tenant", n)
	}
	w.until("it is in the audit trail", func(map[string]model.AccountRow) bool {
		return strings.Contains(w.audit(), "looks like another tenant")
	})
	err = w.store.Update(t.Context(), func(tx *store.Tx) error {
		if _, ok, err := tx.TenantReleased("git", "something else"); ok || err != nil {
			t.Errorf("another digest: %v, %v", ok, err)
		}
		_, ok, err := tx.TenantReleased("git", moved.Digest)
		if !ok {
			t.Error("the digest releases nothing")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.until("everybody is made anew", func(rows map[string]model.AccountRow) bool {
		for id, r := range rows {
			if want := model.StateInSync; r.State != want && id != "id-user00001" {
				return false
			}
		}
		return rows["id-user00001"].State == model.StateDeleted
	})
	if n := len(other.State(server.URL).Users); n != 5 {
		t.Errorf("%d accounts at the other tenant", n)
	}
}

// The same tenant under another name is recognised by its accounts.
func TestSameTenantElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.start()
	w.wantMany(3)
	before := w.allIn(model.StateInSync)
	server := httptest.NewServer(w.app.Handler())
	t.Cleanup(server.Close)
	w.moveTo(server.URL + app.Prefix)
	w.want(model.AccountRow{Identity: "new", Desired: account("new")})
	rows := w.allIn(model.StateInSync)
	for id, r := range before {
		if rows[id].RemoteID != r.RemoteID {
			t.Errorf("%s: %s became %s", id, r.RemoteID, rows[id].RemoteID)
		}
	}
	st, err := w.store.TargetState(t.Context(), "git")
	if err != nil || st.Moved != nil || !strings.HasSuffix(server.URL+app.Prefix, st.Base) {
		t.Errorf("state %+v, %v", st, err)
	}
}
