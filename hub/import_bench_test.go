package hub_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/rows"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// BenchmarkImport imports a hundred thousand people as new, without a difference, and
// with a new title for one in a hundred: go test ./hub -run xxx -bench Import -benchtime 1x
func BenchmarkImport(b *testing.B) {
	const people = 100_000
	for _, dialect := range storetest.Dialects() {
		db := storetest.Open(b, dialect, store.Options{})
		h := hub.New(db.Store, slog.New(slog.DiscardHandler))
		snap, err := hub.Compile(1, "hub.yaml", []byte(oneSource), nil)
		if err != nil {
			b.Fatal(err)
		}
		h.Activate(snap)
		for _, part := range []string{"create", "same", "some"} {
			b.Run(dialect+"/"+part, func(b *testing.B) {
				for n := range b.N {
					if part == "create" && n > 0 {
						b.Skip("people are created once: -benchtime 1x")
					}
					peak, stop := watchHeap()
					r, err := h.Import(b.Context(), hub.Actor{Name: "ops"}, hub.Import{Source: "hr", Name: "people.csv", Format: rows.CSV,
						Open: func() (io.ReadCloser, error) { return io.NopCloser(newPeople(people, part == "some", n)), nil }})
					close(stop)
					b.ReportMetric(float64(peak.Load())/(1<<20), "peak-MB")
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(r.Creates+r.Updates), "changes")
				}
			})
		}
	}
}

// newPeople is CSV that is made as it is read.
func newPeople(n int, moved bool, round int) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.WriteString(w, "externalId,userName,name.givenName,name.familyName,title,emails[type eq \"work\"].value,department,employeeNumber,manager\n")
		for i := range n {
			title := "Engineer"
			if moved && i%100 == 0 {
				title = fmt.Sprint("Lead ", round)
			}
			if err == nil {
				_, err = fmt.Fprintf(w, "%d,user%d,Given%d,%s,%s,user%d@example.com,Department %d,E%06d,%d\n", i, i, i, strings.Repeat("Family", 2), title, i, i%40, i, i/10)
			}
		}
		_ = w.CloseWithError(err)
	}()
	return r
}
