package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// How pages that are open hear of changes.
const (
	livePoll  = time.Second      // between two looks at the hub, however many pages are open
	liveBeat  = 20 * time.Second // so often a quiet connection says that it is there
	liveMost  = 500              // connections
	liveEach  = 50               // of one caller, who is not to take all of them
	liveWrite = 10 * time.Second // for one message to be taken
)

// live tells pages that are open that something has changed, as server-sent events; a
// page then asks for itself again. While no page is open it asks for nothing.
type live struct {
	console *Console
	ctx     context.Context //nolint:containedctx // of the process: connections end with it

	mu   sync.Mutex
	subs map[chan int64]string // by whom
	each map[string]int        // connections of each caller
	seq  int64
	stop context.CancelFunc // of the poll; nil: none runs
}

func newLive(ctx context.Context, c *Console) *live {
	return &live{console: c, ctx: ctx, subs: map[chan int64]string{}, each: map[string]int{}}
}

// join begins to listen; false: there are too many already, of all or of this caller.
func (l *live) join(who string) (chan int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.subs) >= liveMost || l.each[who] >= liveEach {
		return nil, false
	}
	ch := make(chan int64, 1)
	l.subs[ch] = who
	l.each[who]++
	if l.stop == nil {
		ctx, cancel := context.WithCancel(l.ctx)
		l.stop = cancel
		go l.poll(ctx)
	}
	return ch, true
}

func (l *live) leave(ch chan int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := l.subs[ch]
	delete(l.subs, ch)
	if l.each[who]--; l.each[who] <= 0 {
		delete(l.each, who)
	}
	if len(l.subs) == 0 && l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

func (l *live) poll(ctx context.Context) {
	tick := time.NewTicker(livePoll)
	defer tick.Stop()
	for {
		if seq, err := l.pulse(ctx); err == nil {
			l.tell(seq)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pulse asks the API how far the hub has come.
func (l *live) pulse(ctx context.Context) (int64, error) {
	r := (&http.Request{URL: &url.URL{Path: "/"}, Host: "console", RemoteAddr: "127.0.0.1:0"}).WithContext(ctx)
	v := &Visit{Caller: admin.Caller{Name: "console", Role: admin.RoleAuditor}, console: l.console, request: r, Form: url.Values{}}
	var p admin.Pulse
	err := v.Get(&p, "/pulse")
	return p.Seq, err
}

// before is how far the hub has come, for a page that is about to be made: what happens
// later it is told of. 0: it is not known, and the page is made anew when it listens.
func (l *live) before(ctx context.Context) int64 {
	seq, err := l.pulse(ctx)
	if err != nil {
		return 0
	}
	return seq
}

func (l *live) tell(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq == l.seq {
		return
	}
	l.seq = seq
	for ch := range l.subs {
		select { // who has not read the last one is told once of both
		case <-ch:
		default:
		}
		ch <- seq
	}
}

// listener names who listens, whom the API must not refuse how far the hub has come: who
// has left is told nothing. One that is limited to targets sees pages of those.
func (l *live) listener(r *http.Request) (string, error) {
	v, err := l.console.visit(r)
	if err != nil {
		return "", err
	}
	if v.Caller.Targets == nil {
		err = v.Get(nil, "/pulse")
	}
	return v.Caller.Name + "\x00" + v.Caller.Person, err
}

// ServeHTTP is one page that listens.
func (l *live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, err := l.listener(r)
	if err != nil {
		http.Error(w, wordsOf(err), statusOf(err))
		return
	}
	ch, ok := l.join(who)
	if !ok {
		w.Header().Set("Retry-After", "30")
		http.Error(w, wordsOf(model.Fail(model.Unavailable, "too many pages listen already", nil)), http.StatusServiceUnavailable)
		return
	}
	defer l.leave(ch)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events until many have come
	control := http.NewResponseController(w)
	beat := time.NewTicker(liveBeat)
	defer beat.Stop()
	text := "retry: 3000\n\n"
	if seq := l.before(r.Context()); seq != 0 { // what happened since the page was made
		text += changed(seq)
	}
	for {
		_ = control.SetWriteDeadline(time.Now().Add(liveWrite)) //nolint:forbidigo // a connection knows no clock but the wall's
		if _, err := fmt.Fprint(w, text); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-l.ctx.Done():
			return
		case seq := <-ch:
			text = changed(seq)
		case <-beat.C:
			if _, err := l.listener(r); err != nil { // signed out, or gone, meanwhile
				return
			}
			text = ": still here\n\n"
		}
	}
}

// changed is the event that says how far the hub has come.
func changed(seq int64) string { return fmt.Sprintf("event: changed\nid: %d\ndata: %d\n\n", seq, seq) }
