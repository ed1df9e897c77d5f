package fanout

import (
	"fmt"
	"strings"
	"time"
)

// Health is the standing of a target as a whole. The worker keeps one per target; its
// methods are pure and return the next one.
//
//	what happens                                           standing
//	--------------------------------------------------------------------------------
//	five failures in a row, or Retry-After                 waits, longer each time
//	401 twice, or 403 five times, nothing good between     quarantined
//	an answer that is no SCIM, five times                  quarantined
//	more than 40 % of at least 50 operations failed        quarantined
//	nothing but failures for half an hour                  quarantined
//	quarantined, time of the probe                         one cheap read; in vain: waits longer
//	quarantined, probe well                                one account is worked on
//	quarantined, account well                              well
//
// Only failures that are about the target count, throttling excepted, which the pace
// heeds: what is wrong with one object, however many of them, quarantines nobody.
type Health struct {
	Failures   int // in a row, of kinds that concern the target
	Same       int // of these, the last of one class
	Throttled  int // of these, those that said no more than "too many requests"
	ErrorClass Class
	LastError  string
	RetryAt    time.Time // the normal lane waits until then; zero: it runs

	FailingSince  time.Time
	QuarantinedAt time.Time // zero: not quarantined
	Reason        string    // why it is, in words
	Probes        int       // in vain since then
	Probed        bool      // the last one went well; one account has to, too
	Window        Window
}

// Window counts operations of late: after windowTime only half of them count on.
type Window struct {
	Since              time.Time
	Operations, Failed int
}

const (
	failuresToBackOff = 5                // in a row before the target as a whole waits
	refusalsTaken     = 2                // 401s in a row that quarantine: one may be a token that has just ended
	quarantineAfter   = 30 * time.Minute // of nothing but failures
	windowTime        = 10 * time.Minute
	windowLeast       = 50 // operations before their rate says something
	windowPercent     = 40 // of them may fail
	probeFirst        = time.Minute
	probeLongest      = time.Hour
	probeDaily        = 48 * time.Hour // of quarantine, after which a probe a day is enough
)

// Failed counts a failure that concerns the target as a whole; of any other
// class it changes nothing.
func (h Health) Failed(target string, err *ClientError, now time.Time) Health {
	if !err.Class.ofTarget() {
		return h
	}
	if now.Before(h.RetryAt) && (err.Class != Credentials || h.quarantined()) {
		return h // late answers of requests sent before the pause
	}
	if h.Failures == h.Throttled {
		h.FailingSince = now
	}
	if h.Same++; err.Class != h.ErrorClass || h.Failures == 0 {
		h.Same = 1
	}
	h.Failures++
	if err.Class == Throttled {
		h.Throttled++
	}
	h.ErrorClass, h.LastError, h.Probed = err.Class, err.Error(), false
	h.Window = h.Window.add(err.Class != Throttled, now)
	if h.quarantined() {
		h.Probes++
		h.RetryAt = h.nextProbe(target, err, now)
		return h
	}
	if reason := h.grave(err, now); reason != "" {
		h.QuarantinedAt, h.Reason, h.Probes = now, reason, 0
		h.RetryAt = h.nextProbe(target, err, now)
		return h
	}
	over := h.Failures - failuresToBackOff + 1
	if err.Status == 401 || err.Class == Throttled || err.RetryAfter > 0 {
		over = h.Failures
	}
	if over > 0 && !now.Before(h.RetryAt) {
		h.RetryAt = NextAttempt(RetryFacts{Key: target, Attempts: over}, err.Class, err.RetryAfter, now)
	}
	return h
}

// grave says in words why a target has to be left alone; empty: it has not.
func (h Health) grave(err *ClientError, now time.Time) string {
	w := h.Window
	switch {
	case err.Class == Throttled:
		return ""
	case err.Class == Credentials && (h.Same >= failuresToBackOff || (err.Status != 403 && h.Same >= refusalsTaken)):
		return "the target refuses the hub's credentials"
	case err.Class == Garbage && h.Same >= failuresToBackOff:
		return "what answers at the address is no SCIM service"
	case w.Operations >= windowLeast && w.Failed*100 > windowPercent*w.Operations:
		return fmt.Sprintf("%d of the last %d operations failed", w.Failed, w.Operations)
	case h.Failures-h.Throttled >= failuresToBackOff && now.Sub(h.FailingSince) >= quarantineAfter:
		return "nothing but failures for " + strings.TrimSuffix(quarantineAfter.String(), "0s")
	}
	return ""
}

// nextProbe grows from a minute to an hour, and to a day after some days; refused
// credentials are asked for as often, for a rotated secret shows only that way.
func (h Health) nextProbe(target string, err *ClientError, now time.Time) time.Time {
	d := probeLongest
	if h.Probes < 6 {
		d = probeFirst << h.Probes
	}
	if now.Sub(h.QuarantinedAt) >= probeDaily {
		d = 24 * time.Hour
	}
	d = d * time.Duration(90+spread(target, h.Probes)/2) / 100
	return now.Add(max(d, min(err.RetryAfter, longestPause)))
}

// Succeeded ends back-off and quarantine. An answer to a request sent before a
// pause began does not end the pause.
func (h Health) Succeeded(now time.Time) Health {
	if now.Before(h.RetryAt) {
		return h
	}
	if h.quarantined() {
		return Health{}
	}
	return Health{Window: h.Window.add(false, now)}
}

// Answered takes a probe that went well: the next account decides.
func (h Health) Answered() Health {
	h.Probed = true
	return h
}

func (w Window) add(failed bool, now time.Time) Window {
	if now.Sub(w.Since) > windowTime {
		w = Window{now, w.Operations / 2, w.Failed / 2}
	}
	w.Operations++
	if failed {
		w.Failed++
	}
	return w
}

func (h Health) quarantined() bool { return !h.QuarantinedAt.IsZero() }

// probing reports whether the target has to show itself well with one request first.
func (h Health) probing() bool { return !h.RetryAt.IsZero() }
