package fanout

import (
	"fmt"
	"testing"

	"github.com/scimhub/scimhub/model"
)

// BenchmarkGroupOfMany measures how fast accounts that are there join one group:
// members a second, and members in a request.
func BenchmarkGroupOfMany(b *testing.B) {
	const people = 2000
	w := newWorld(b, nil, "")
	rows := make([]model.AccountRow, people)
	for i := range rows {
		name := fmt.Sprintf("user%05d", i)
		rows[i] = model.AccountRow{Identity: "id-" + name, Desired: account(name)}
	}
	w.want(rows...)
	w.start()
	w.allIn(model.StateInSync)
	before := w.app.Stats().Kinds["group.update"]
	n := 0
	for b.Loop() {
		n++
		group := fmt.Sprintf("all-%d", n)
		for i := range rows {
			next := *rows[i].Desired
			next.Groups = []string{group}
			rows[i].Desired = &next
		}
		w.want(rows...)
		w.until("everybody in it", func(rows map[string]model.AccountRow) bool {
			for _, r := range rows {
				if r.State != model.StateInSync || len(r.Applied.Groups) != 1 || r.Applied.Groups[0] != group {
					return false
				}
			}
			return true
		})
	}
	b.ReportMetric(float64(people*n)/b.Elapsed().Seconds(), "members/s")
	b.ReportMetric(float64(people*(2*n-1))/float64(w.app.Stats().Kinds["group.update"]-before), "members/request")
}
