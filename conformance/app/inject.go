package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// injector lays the present faults over the SCIM endpoints.
type injector struct {
	active atomic.Pointer[activeFaults]
	random func() float64 // in [0, 1)
	now    func() time.Time
}

type activeFaults struct {
	faults  Faults
	limiter *rate.Limiter // of the rate fault, if there is one
}

// replace makes fs the faults of every request that starts from now on.
func (in *injector) replace(fs Faults) {
	a := &activeFaults{faults: fs}
	for _, f := range fs {
		if f.Kind == KindRate {
			// The bucket holds one second's worth, so that the mean rate is what
			// a client measures from the start.
			perSecond := float64(f.Count) / f.Per.Seconds()
			a.limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
		}
	}
	in.active.Store(a)
}

func (in *injector) faults() Faults {
	if a := in.active.Load(); a != nil {
		return a.faults
	}
	return nil
}

// wrap serves next as the faults allow.
func (in *injector) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := in.active.Load()
		if a == nil {
			next.ServeHTTP(w, r)
			return
		}
		end, told := KindStatus, lies{}
		for _, f := range a.faults {
			if f.Probability > 0 && f.Probability < 1 && in.random() >= f.Probability {
				continue
			}
			switch {
			case f.Kind == KindResetAfter, f.Kind == KindCut, f.Kind == KindTwice:
				end = f.Kind
			case told.tell(f.Kind):
			case in.strike(w, r, a, f):
				return
			}
		}
		serveWith(w, r.WithContext(withLies(r.Context(), told)), next, end)
	})
}

// serveWith has the work done, and spoils what comes after.
func serveWith(w http.ResponseWriter, r *http.Request, next http.Handler, end Kind) {
	// The work must be done even if the client notices the loss early.
	lasting := r.WithContext(context.WithoutCancel(r.Context()))
	switch end {
	case KindResetAfter:
		next.ServeHTTP(&keptResponse{header: http.Header{}}, lasting)
		drop(w)
	case KindCut:
		answer := &keptResponse{header: http.Header{}}
		next.ServeHTTP(answer, lasting)
		answer.cut(w)
	case KindTwice:
		text, err := io.ReadAll(io.LimitReader(r.Body, scimserver.DefaultMaxBody+1))
		if err == nil {
			first := lasting.Clone(lasting.Context())
			first.Body = io.NopCloser(bytes.NewReader(text))
			next.ServeHTTP(&keptResponse{header: http.Header{}}, first)
		}
		r.Body = &rest{bytes.NewReader(text), r.Body}
		next.ServeHTTP(w, r)
	default:
		next.ServeHTTP(w, r)
	}
}

// strike carries out one fault; true means that the request has been answered.
func (in *injector) strike(w http.ResponseWriter, r *http.Request, a *activeFaults, f Fault) bool {
	switch f.Kind {
	case KindSlow:
		return !wait(r.Context(), f.Delay)
	case KindStatus:
		after := 0
		if f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable {
			after = 1
		}
		writeError(w, f.Status, f.detail(), after)
	case KindDown:
		writeError(w, http.StatusServiceUnavailable, "the application is down (simulated)", 1)
	case KindGarbage:
		in.garbage(w)
	case KindHTML:
		writeHTML(w)
	case KindReset:
		drop(w)
	case KindRate:
		return overRate(w, a.limiter, in.now())
	}
	return true
}

// overRate takes one token, or answers 429 with the time until there is one.
func overRate(w http.ResponseWriter, l *rate.Limiter, now time.Time) bool {
	if l.AllowN(now, 1) {
		return false
	}
	missing := 1 - l.TokensAt(now)
	writeError(w, http.StatusTooManyRequests, "too many requests (simulated limit)", int(math.Ceil(missing/float64(l.Limit()))))
	return true
}

// wait reports whether the time passed before the client gave up.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// garbage answers as proxies and broken servers do: successfully, with nonsense.
func (in *injector) garbage(w http.ResponseWriter) {
	if in.random() >= 0.5 {
		writeHTML(w)
		return
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(http.StatusOK)
	// A client that has gone needs no nonsense.
	_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[{"id":`)
}

func writeHTML(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>") // the client may have gone
}

// drop ends the connection with a reset. Where the connection cannot be had
// (HTTP/2, recorders) the server's own way of aborting has to do.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the client would see an orderly end
	}
	_ = conn.Close()
}

// writeError sends an Error body (RFC 7644 §3.12); retryAfter is in seconds, 0 for none.
func writeError(w http.ResponseWriter, status int, detail string, retryAfter int) {
	w.Header().Set("Content-Type", "application/scim+json")
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="scim"`)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"schemas": []string{scim.URNError}, "status": strconv.Itoa(status), "detail": detail,
	})
}
