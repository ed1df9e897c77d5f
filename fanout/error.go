package fanout

import (
	"errors"
	"fmt"
	"time"
)

// Class says what kind of failure a target's answer is; retry and back-off go by it.
type Class string

// The classes.
const (
	Credentials    Class = "credentials"     // 401, 403, or no token to be had
	Throttled      Class = "throttled"       // 429, or what the profile says means it
	Conflict       Class = "conflict"        // 409, or more than one account matches
	Invalid        Class = "invalid"         // any other 4xx: this request will never do
	Missing        Class = "missing"         // 404, 410: the resource is not there
	Server         Class = "server"          // 5xx
	Network        Class = "network"         // no connection; nothing was sent
	Timeout        Class = "timeout"         // no answer in time
	Garbage        Class = "garbage"         // an answer that is no SCIM
	UnknownOutcome Class = "unknown-outcome" // a write was sent and the answer lost
	Unreadable     Class = "not-readable"    // the application never shows what was asked for: no request was sent
)

// ofTarget reports whether such a failure is about the target rather than one object.
func (c Class) ofTarget() bool {
	switch c {
	case Credentials, Throttled, Server, Network, Timeout, UnknownOutcome, Garbage:
		return true
	}
	return false
}

// ClientError is a failed request to a target. Detail is the target's own words,
// shortened; nothing secret is in it.
type ClientError struct {
	Class      Class
	Status     int           // HTTP status; 0 where there was no answer
	RetryAfter time.Duration // as the target asked; 0 where it did not
	Detail     string
	Hint       string // what a person should do about it; empty where the profile knows nothing
	Err        error
	Paced      bool // throttled, and the limit for such requests waits: the target as a whole need not
}

// Error renders class, status, words and cause.
func (e *ClientError) Error() string {
	s := string(e.Class)
	if e.Status != 0 {
		s += fmt.Sprintf(" (%d)", e.Status)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *ClientError) Unwrap() error { return e.Err }

// asClientError finds the ClientError in err's chain; what has none counts as network.
func asClientError(err error) *ClientError {
	if e, ok := errors.AsType[*ClientError](err); ok {
		return e
	}
	return &ClientError{Class: Network, Err: err}
}

// ClassOf is the class of an error; empty for nil.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	return asClientError(err).Class
}
