package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestStartDoesNotWaitForEverybody: where it takes long to learn what a changed file does
// to everybody, a hub serves the active version, and the file once it is known.
func TestStartDoesNotWaitForEverybody(t *testing.T) {
	t.Parallel()
	const (
		active, changed, back, other = "401d", "402d", "403d", "404d"
		refused                      = "is not put in force"
	)
	for _, tt := range []struct {
		name      string
		file      string                               // of the second start
		elsewhere string                               // what somebody else puts in force meanwhile; empty: nothing
		want      func(version int64, log string) bool // comes about in the end
	}{
		{"good", changed, "", func(v int64, log string) bool { return v == 4 && !strings.Contains(log, refused) }},
		{"rolled back", back, "", func(v int64, log string) bool {
			return v == 3 && strings.Contains(log, refused) && strings.Contains(log, "rolled back at")
		}},
		{"another replica was quicker", changed, changed, func(v int64, log string) bool { return v == 4 && !strings.Contains(log, refused) }},
		{"somebody wants something else", changed, other, func(v int64, log string) bool { return v == 4 && strings.Contains(log, refused) }},
	} {
		for _, dialect := range storetest.OnTurn(t) {
			t.Run(tt.name+"/"+dialect, func(t *testing.T) {
				t.Parallel()
				database := storetest.Migrated(t, dialect)
				first, _ := started(t, weighed(database, active))
				putInForce(t, first, weighed(database, back))
				if _, err := first.hub.RollBack(t.Context(), hub.Actor{Name: "ops"}, 1, 2); err != nil {
					t.Fatal(err)
				}
				if err := first.close(); err != nil {
					t.Fatal(err)
				}
				i, log := started(t, weighed(database, tt.file), func(o *instanceOptions) { o.Weigh = -1 })
				if text := log.String(); i.hub.Snapshot().Version != 3 || !strings.Contains(text, "served until the file has been compared") {
					t.Errorf("it was waited for: %s", text)
				}
				if tt.elsewhere != "" {
					putInForce(t, i, weighed(database, tt.elsewhere))
				}
				runs(t, i)
				await(t, func() bool { return tt.want(i.hub.Snapshot().Version, log.String()) })
			})
		}
	}
}

// TestStartWaitsWhereItMust: secrets written out in a file are not stored, so that the
// version before cannot be served meanwhile.
func TestStartWaitsWhereItMust(t *testing.T) {
	t.Parallel()
	database := storetest.Migrated(t, storetest.SQLite)
	secret := "sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}]}}\n"
	first, _ := started(t, weighed(database, "401d")+secret)
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	i, _ := started(t, weighed(database, "402d")+secret, func(o *instanceOptions) { o.Weigh = -1 })
	if v := i.hub.Snapshot().Version; v != 2 {
		t.Errorf("version %d is served", v)
	}
	if err := i.close(); err != nil {
		t.Error(err)
	}
}

// TestStopWhileWeighing: a hub that is told to stop does not wait for an answer.
func TestStopWhileWeighing(t *testing.T) {
	t.Parallel()
	database := storetest.Migrated(t, storetest.SQLite)
	first, _ := started(t, weighed(database, "401d"))
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	i, _ := started(t, weighed(database, "402d"), func(o *instanceOptions) { o.Weigh = -1 })
	i.weighing.stop()
	<-i.weighing.done
	endless := &weighing{done: make(chan struct{})}
	endless.stop = sync.OnceFunc(func() { close(endless.done) })
	i.weighing = endless
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := i.run(ctx); err != nil || i.hub.Snapshot().Version != 1 {
		t.Errorf("it ended with version %d: %v", i.hub.Snapshot().Version, err)
	}
}

func weighed(database, events string) string {
	return fmt.Sprintf("listen: 127.0.0.1:0\ndatabase: %q\nretention: {events: %s}\n", database, events)
}

// putInForce stores a configuration as somebody does elsewhere.
func putInForce(t *testing.T, i *instance, text string) {
	t.Helper()
	active, _, err := i.store.ActiveConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.hub.Apply(t.Context(), hub.Actor{Name: "ops"}, "hub.yaml", []byte(text), active.Version); err != nil {
		t.Fatal(err)
	}
}
