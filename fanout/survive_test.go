package fanout

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model"
)

// landmine is a transport that panics over one person's name.
type landmine struct{ name string }

func (m landmine) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.RawQuery, m.name) || (r.Body != nil && strings.Contains(readBody(r), m.name)) {
		panic("stepped on " + m.name)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Whatever one account runs into, the others are worked on and the process lives.
func TestPanicStaysWithItsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	w.worker.Transport = landmine{"user00003"}
	w.start()
	w.wantMany(8, "eng")
	rows := w.until("everybody else in sync", func(rows map[string]model.AccountRow) bool {
		for id, r := range rows {
			if want := id != "id-user00003"; (r.State == model.StateInSync) != want || (r.State == model.StateFailed) == want {
				return false
			}
		}
		return len(rows) == 8
	})
	if r := rows["id-user00003"]; !strings.Contains(r.LastError, "internal error") || !r.Due {
		t.Errorf("the bad one: %+v", r)
	}
	if len(w.users()) != 7 || memberCount(w.groups()["eng"]) != 7 {
		t.Error(fmt.Sprint(len(w.users()), " accounts"))
	}
}
