package fanout

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// tamper answers in place of an application as long as it is told to; false: it does not.
type tamper func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool

// tampered is a world whose application can be tampered with.
func tampered(t *testing.T, change func(*model.Target)) (*world, *atomic.Pointer[tamper]) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var now atomic.Pointer[tamper]
	return worldWith(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := now.Load(); f == nil || !(*f)(w, r, a.Handler()) {
			a.Handler().ServeHTTP(w, r)
		}
	}), change), &now
}

func (w *world) due() {
	w.t.Helper()
	if err := w.store.DueNow(w.t.Context(), w.target.Name); err != nil {
		w.t.Fatal(err)
	}
	w.worker.Nudge(w.target.Name)
}

// TestLeaverWhereNobodyIsFound: who leaves while the application finds nobody is not out
// because of that. As soon as it finds others, its word counts again.
func TestLeaverWhereNobodyIsFound(t *testing.T) {
	t.Parallel()
	w, now := tampered(t, nil)
	w.start()
	w.wantMany(5)
	w.allIn(model.StateInSync)
	forgetful := tamper(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.Contains(r.URL.Path, "/Users/") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	now.Store(&forgetful)
	id := "id-user00003"
	at := w.worker.Now()
	w.want(model.AccountRow{Identity: id, Leaver: true, LeaverAt: &at})
	w.until("not believed", func(rows map[string]model.AccountRow) bool {
		r := rows[id]
		return r.State == model.StateFailed && strings.Contains(r.LastError, "nothing is concluded") && r.RemoteID != "" && r.Due
	})
	now.Store(nil)
	w.due()
	w.until("out", func(rows map[string]model.AccountRow) bool {
		return rows[id].State == model.StateDisabled && w.users()["user00003"]["active"] == false
	})
}

// TestLeaverThatCameBack: an account that was not found when its owner left, though
// others were, and that is there again, is switched off by the next sweep.
func TestLeaverThatCameBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*model.Target){
		"by list": nil,
		"by id":   func(t *model.Target) { t.Overrides = map[string]any{"list_trustworthy": false} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, now := tampered(t, change)
			w.start()
			w.wantMany(5)
			id := "id-user00003"
			remote := w.allIn(model.StateInSync)[id].RemoteID
			hidden := tamper(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if strings.HasSuffix(r.URL.Path, remote) {
					w.WriteHeader(http.StatusNotFound)
					return true
				}
				return false
			})
			now.Store(&hidden)
			at := w.worker.Now()
			w.want(model.AccountRow{Identity: id, Leaver: true, LeaverAt: &at})
			w.until("gone, it seems", func(rows map[string]model.AccountRow) bool { return rows[id].State == model.StateDeleted })
			now.Store(nil)
			if report := w.sweep(); report.Kinds[driftResurrected] != 1 {
				t.Errorf("report %+v", report)
			}
			w.until("out", func(rows map[string]model.AccountRow) bool {
				return rows[id].State == model.StateDisabled && w.users()["user00003"]["active"] == false
			})
		})
	}
}

// TestAdoptionThatWasNotConfirmed: an account that was taken over, and whose answer
// showed something else than was written, is the hub's: its memberships are known, and
// its owner can leave.
func TestAdoptionThatWasNotConfirmed(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{false, true} {
		t.Run(fmt.Sprint("leaves meanwhile ", leaves), func(t *testing.T) {
			t.Parallel()
			w, now := tampered(t, nil)
			w.byHand(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna","title":"Before","active":true}`)
			off := tamper(func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool {
				got := httptest.NewRecorder()
				honest.ServeHTTP(got, r)
				w.Header().Set("Content-Type", mediaType)
				w.WriteHeader(got.Code)
				_, _ = w.Write([]byte(strings.ReplaceAll(got.Body.String(), `"active":true`, `"active":false`)))
				return true
			})
			now.Store(&off)
			w.start()
			wish := account("anna", "eng")
			wish.Attrs["title"] = "After"
			w.want(model.AccountRow{Identity: "a", Desired: wish})
			w.until("not confirmed", func(rows map[string]model.AccountRow) bool {
				return rows["a"].State == model.StateFailed && rows["a"].Attempts > 1
			})
			if !leaves {
				now.Store(nil)
				w.due()
				rows := w.allIn(model.StateInSync)
				if a := rows["a"].Applied; a == nil || !a.Active || len(a.Groups) != 1 {
					t.Errorf("what the hub believes of the account: %+v", rows["a"])
				}
			}
			at := w.worker.Now()
			w.want(model.AccountRow{Identity: "a", Leaver: true, LeaverAt: &at})
			now.Store(nil)
			w.due()
			w.until("out", func(rows map[string]model.AccountRow) bool {
				return rows["a"].State == model.StateDisabled && w.users()["anna"]["active"] == false
			})
		})
	}
}

// TestLeaverDeletedInWords: a deletion that was confirmed and not carried out is none.
func TestLeaverDeletedInWords(t *testing.T) {
	t.Parallel()
	w, now := tampered(t, func(t *model.Target) { t.Leaver = model.LeaverPolicy{First: "delete"} })
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: account("anna")}, model.AccountRow{Identity: "b", Desired: account("ben")})
	w.allIn(model.StateInSync)
	yes := tamper(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
		}
		return r.Method == http.MethodDelete
	})
	now.Store(&yes)
	at := w.worker.Now()
	w.want(model.AccountRow{Identity: "a", Leaver: true, LeaverAt: &at})
	w.until("not believed", func(rows map[string]model.AccountRow) bool {
		return rows["a"].State == model.StateFailed && strings.Contains(rows["a"].LastError, "still there and active") && rows["a"].RemoteID != ""
	})
	now.Store(nil)
	w.due()
	w.until("gone", func(rows map[string]model.AccountRow) bool {
		return rows["a"].State == model.StateDeleted && w.users()["anna"] == nil
	})
}

// TestLeaverUnread: nobody keeps access because the application answers writes alone.
func TestLeaverUnread(t *testing.T) {
	t.Parallel()
	w, now := tampered(t, nil)
	w.start()
	w.want(model.AccountRow{Identity: "a", Desired: account("anna")}, model.AccountRow{Identity: "b", Desired: account("ben")})
	w.allIn(model.StateInSync)
	mute := tamper(func(w http.ResponseWriter, r *http.Request, honest http.Handler) bool {
		switch r.Method {
		case http.MethodGet:
			w.WriteHeader(http.StatusInternalServerError)
		case http.MethodPatch: // carried out, and not heard of
			honest.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	})
	now.Store(&mute)
	w.want(model.AccountRow{Identity: "a", Desired: retitled(account("anna"), "Boss")})
	w.until("not heard of", func(rows map[string]model.AccountRow) bool { return len(rows["a"].Sent) > 0 && rows["a"].Attempts > 0 })
	at := w.worker.Now()
	w.want(model.AccountRow{Identity: "a", Leaver: true, LeaverAt: &at})
	w.until("out", func(map[string]model.AccountRow) bool { return w.users()["anna"]["active"] == false })
	now.Store(nil)
	w.due()
	w.until("verified", func(rows map[string]model.AccountRow) bool { return rows["a"].State == model.StateDisabled })
}
