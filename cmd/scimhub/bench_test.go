package main

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/bench"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// BenchmarkHub reports what `scimhub bench` measures, each row as a benchmark of its own:
// the hub's figure, its floor, and the ratio of the two.
//
//	SCIMHUB_BENCH_POSTGRES=postgres://… go test ./cmd/scimhub -run '^$' -bench 'Hub/inbound' -benchtime 1x
//
// PostgreSQL is measured where SCIMHUB_BENCH_POSTGRES names a database with durable
// settings (fsync and synchronous_commit on) that may be written to.
func BenchmarkHub(b *testing.B) {
	people, err := strconv.Atoi(cmp.Or(os.Getenv("SCIMHUB_BENCH_PEOPLE"), "10000"))
	if err != nil {
		b.Fatal(err)
	}
	databases := []string{"sqlite:"}
	if pg := os.Getenv("SCIMHUB_BENCH_POSTGRES"); pg != "" {
		databases = append(databases, pg)
	}
	collectSeldom()
	for _, part := range []string{"inbound", "groups", "pipeline"} {
		b.Run(part, func(b *testing.B) {
			rows, err := bench.Run(b.Context(), bench.Options{Databases: databases, People: people, Targets: 3, Each: time.Second, Rounds: 6,
				Only: []string{part}, Folder: b.TempDir(), Start: benchHub, Now: time.Now, Say: func(text string) { b.Log(text) }})
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range rows {
				b.Run(r.Database+"/"+strings.ReplaceAll(r.What, " ", "-"), func(b *testing.B) {
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(r.Hub, "hub"+r.Unit)
					b.ReportMetric(r.Floor, "floor"+r.Unit)
					b.ReportMetric(r.Ratio, "ratio")
				})
			}
		})
	}
}

// TestBenchMeasures runs every part but the start on a hundred people: each gives figures
// of each kind on each database, however little time it has, and leaves nothing behind.
func TestBenchMeasures(t *testing.T) {
	t.Parallel()
	var urls []string
	for _, dialect := range storetest.OnTurn(t) {
		url := "sqlite:"
		if dialect != "sqlite" {
			url = storetest.URL(t, dialect)
		}
		urls = append(urls, url)
	}
	folder := t.TempDir()
	rows, err := bench.Run(t.Context(), bench.Options{Databases: urls, People: 100, Targets: 2, Each: 1, Rounds: 1,
		Only: []string{"inbound", "groups", "pipeline"}, Folder: folder, Start: benchHub, Now: time.Now, Say: func(text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, r := range rows {
		if !(r.Hub > 0) || !(r.Floor > 0) || !(r.Ratio > 0) || r.Beside == "" {
			t.Errorf("no figure: %+v", r)
		}
		parts = append(parts, r.Part)
	}
	if slices.Sort(parts); !slices.Equal(slices.Compact(parts), []string{"groups", "inbound", "pipeline"}) {
		t.Errorf("parts measured: %v", parts)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
