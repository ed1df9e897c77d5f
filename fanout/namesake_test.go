package fanout

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model"
)

// TestNamesakesDoNotShareAnAccount: two people of one user name, because somebody said
// that they are two. The account is one's; the other's is a failure that says whose it
// is, never an adoption.
func TestNamesakesDoNotShareAnAccount(t *testing.T) {
	t.Parallel()
	same := func(identity, title string) model.AccountRow {
		a := account("ada")
		a.Attrs["externalId"], a.Attrs["title"] = "x-"+identity, title
		return model.AccountRow{Identity: identity, Desired: a}
	}
	one := func(rows map[string]model.AccountRow, owner, other string) {
		t.Helper()
		if r := rows[other]; r.RemoteID != "" || r.Applied != nil || r.State != model.StateFailed || !strings.Contains(r.LastError, "identity "+owner) {
			t.Errorf("the other: state %s, remote %q, error %q", r.State, r.RemoteID, r.LastError)
		}
	}
	t.Run("one after the other", func(t *testing.T) {
		w := newWorld(t, nil, "")
		w.start()
		w.want(same("first", "Countess"))
		w.allIn(model.StateInSync)
		w.want(same("second", "Engineer"))
		rows := w.until("second fails", func(rows map[string]model.AccountRow) bool { return rows["second"].State == model.StateFailed })
		one(rows, "first", "second")
		if got := w.users()["ada"]["title"]; got != "Countess" {
			t.Errorf("the account is %v", got)
		}
	})
	for n := range 5 {
		t.Run(fmt.Sprint("both at once ", n), func(t *testing.T) {
			w := newWorld(t, nil, "slow:5ms")
			w.want(same("first", "Countess"), same("second", "Engineer"))
			w.start()
			rows := w.until("both are settled", func(rows map[string]model.AccountRow) bool {
				return rows["first"].State != model.StatePending && rows["second"].State != model.StatePending
			})
			owner, other := "first", "second"
			if rows["second"].State == model.StateInSync {
				owner, other = other, owner
			}
			if rows[owner].State != model.StateInSync {
				t.Errorf("nobody has the account: %s, %s", rows[owner].LastError, rows[other].LastError)
			}
			one(rows, owner, other)
		})
	}
}
