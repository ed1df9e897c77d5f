package main

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/scimserver"
)

// How a process finds that it was suspended, and what it does about requests that it then
// finds: whoever sent them has asked another replica meanwhile, perhaps, and has said
// something newer there. To carry them out late would undo that.
const (
	heartbeat  = 250 * time.Millisecond
	asleep     = 3 * time.Second // without a heartbeat
	dazed      = time.Second     // after waking up: what was sent before comes first
	writeStart = 5 * time.Second // after its request was read a write does not begin any more
)

// soon bounds when a write that a source asks for may begin.
func soon(ctx context.Context) context.Context {
	return store.StartBy(ctx, wallClock().Add(writeStart))
}

// wallClock is the machine's clock: of how long a process stood still no other one tells.
func wallClock() time.Time { return time.Now() }

// pulse is the heartbeat of a process.
type pulse struct {
	last atomic.Pointer[time.Time]
	woke atomic.Pointer[time.Time] // when it was last found to have been suspended
}

// beat notes that the process runs; it finds out whether it did not.
func (p *pulse) beat(now time.Time) {
	if last := p.last.Load(); last != nil && apart(now, *last) > asleep {
		p.woke.Store(&now)
	}
	p.last.Store(&now)
}

// awake reports whether what comes in can be from now, and not from before the process
// was suspended.
func (p *pulse) awake(now time.Time) bool {
	if last := p.last.Load(); last != nil && apart(now, *last) > asleep {
		p.woke.Store(&now)
		return false
	}
	woke := p.woke.Load()
	return woke == nil || apart(now, *woke) > dazed
}

// apart is the time between two moments by the clock that says more: the monotonic one
// may stand still while a machine sleeps, the other one may be set.
func apart(now, before time.Time) time.Duration {
	return max(now.Sub(before), now.Round(0).Sub(before.Round(0)))
}

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		p.beat(wallClock())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refuseLate answers writes with 503 that a process finds as it wakes up.
func (p *pulse) refuseLate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || p.awake(wallClock()) {
			next.ServeHTTP(w, r)
			return
		}
		const why = "this hub stood still for a while and does not know how old the request is: send it again"
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close")
		if strings.HasPrefix(r.URL.Path, scimPath) {
			scimserver.WriteError(w, scim.Errorf(http.StatusServiceUnavailable, "", "%s", why))
			return
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			admin.WriteProblem(w, model.Fail(model.Unavailable, why, nil))
			return
		}
		http.Error(w, why, http.StatusServiceUnavailable)
	})
}
