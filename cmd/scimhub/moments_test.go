package main_test

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// These faults are those that leave it open what became of a request.
const (
	momentFaults = "reset-after:2%,cut:2%,reset:1%,500:1%"
	momentTwice  = "twice:2%"
)

// kills is how many there are: more where the environment asks for it.
func kills(t *testing.T, normal, small int) int {
	t.Helper()
	text := os.Getenv("SCIMHUB_KILLS")
	if text == "" {
		return sized(5*normal, normal, small)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SCIMHUB_KILLS: %v", err)
	}
	return n
}

// TestKilledAtRandomMoments ends the hub with SIGKILL at moments of chance and at such
// that hurt: an application has just carried out a change and has not answered yet. The
// answers of others are lost on the way. In the end everybody has one account with the
// newest values at each application, no change is lost, and at no time was an older
// value written over a newer one.
//
//	SCIMHUB_KILLS=300 go test -timeout 30m -run TestKilledAtRandomMoments ./cmd/scimhub
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	m := newMoments(t, storetest.URL(t, storetest.SQLite), sized(60, 24, 12), "generic", "aws", "github", "slack", "databricks")
	seed := randomSeed(t)
	rng := rand.New(rand.NewPCG(seed, 17))
	m.spoil(momentFaults, momentTwice)
	m.start()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	end := make(chan struct{})
	finished := m.live(ctx, seed, end)
	n, hurt := kills(t, 10, 3), 0
	for range n {
		if rng.IntN(2) == 0 {
			hurt += m.killAtWrite(rng)
		} else {
			m.runFor(time.Duration(rng.IntN(700)) * time.Millisecond)
		}
		m.hub.kill()
		m.start()
	}
	close(end)
	if err := finished(); err != nil {
		t.Fatal(err)
	}
	m.spoil("", "")
	last := time.Now()
	await(t, 2*time.Minute, "everything is as acknowledged", m.asAcknowledged)
	m.sound()
	if err := m.asAcknowledged(); err != nil {
		t.Error(err)
	}
	t.Logf("%d kills, %d of them at a write that was carried out; %d changes acknowledged, %d requests repeated; converged after %s",
		n, hurt, m.hr.acknowledged.Load(), m.hr.repeated.Load(), time.Since(last).Round(time.Millisecond))
	m.report()
}

// killAtWrite kills the hub while an application holds the answer to a change back; 0
// where none came for a while.
func (m *moments) killAtWrite(rng *rand.Rand) int {
	m.t.Helper()
	done := make(chan struct{})
	hub := m.hub
	tr := &trigger{kill: func() { hub.kill(); close(done) }}
	tr.left.Store(1 + rng.Int64N(25))
	a := m.watched[rng.IntN(len(m.watched))]
	a.trigger.Store(tr)
	defer a.trigger.Store(nil)
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-done:
		return 1
	case <-timer.C:
		return 0
	}
}
