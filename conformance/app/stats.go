package app

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
)

// Stats counts what happened at the SCIM endpoints since the start.
type Stats struct {
	// Requests by method, then by status; "reset" where the connection was dropped.
	Requests map[string]map[string]int `json:"requests"`
	// Kinds counts requests by what they do: user.list, group.update; other for the rest.
	Kinds map[string]int `json:"kinds"`
	// MaxConcurrent is the most requests that were in progress at one time.
	MaxConcurrent int `json:"maxConcurrent"`
	// DuplicatesRefused counts the answers 409.
	DuplicatesRefused int `json:"duplicatesRefused"`
	// Forbidden counts what a client that knows the application never does, by the
	// constants of the same name. Faults to order are not in it.
	Forbidden map[string]int `json:"forbidden"`
	// Irreversible counts what nobody can undo, by the constants Lost….
	Irreversible map[string]int `json:"irreversible"`
}

// What a client that knows the application never does.
const (
	ForbiddenUserAgent      = "user_agent_missing"
	ForbiddenAccept         = "accept_wrong"
	ForbiddenEndpoint       = "endpoint_missing"     // asked for a type of resource or a document that is not offered
	ForbiddenFilter         = "filter_refused"       // whatever the answer was
	ForbiddenAttribute      = "attribute_refused"    // sent one that is not known or not taken
	ForbiddenValue          = "value_over_limit"     // too long, with characters that are refused, or too many
	ForbiddenMissing        = "required_missing"     // left out what an account needs
	ForbiddenMembers        = "members_over_limit"   // too many memberships in a request
	ForbiddenReplaceMembers = "members_replaced"     // a whole member list where only single members can be changed
	ForbiddenOneAttribute   = "attributes_per_op"    // several attributes in an operation without path
	ForbiddenBody           = "body_over_limit"      // too many bytes
	ForbiddenOperation      = "operation_refused"    // what is never possible here: deletion, renaming a group, …
	ForbiddenPutCleared     = "put_cleared"          // a PUT that emptied an attribute by leaving it out
	ForbiddenParallel       = "parallel_over_limit"  // too many requests at once
	ForbiddenThrottled      = "throttled"            // beyond the pace of the application
	ForbiddenUnverified     = "domain_not_verified"  // a change of somebody of a foreign domain
	ForbiddenInactive       = "inactive_changed"     // a change of an account that is off
	ForbiddenToken          = "token_revoked_in_use" // requests with a token that died with its owner
)

// What nobody can undo.
const (
	LostUser         = "user_deleted"           // somebody's account with what they owned
	LostGroup        = "group_deleted"          // a group with what it was given
	LostInvited      = "invited_user_destroyed" // suspended before the invitation was accepted
	LostIdentity     = "identity_ended"         // can never be used again
	LostRepositories = "repositories_lost"
	LostToken        = "token_revoked" //nolint:gosec // the name of a count
)

// Total is the number of requests.
func (s Stats) Total() int {
	n := 0
	for _, byStatus := range s.Requests {
		for _, count := range byStatus {
			n += count
		}
	}
	return n
}

type counter struct {
	mu      sync.Mutex
	running int
	stats   Stats
}

// forbid counts what the client should not have done.
func (c *counter) forbid(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.stats.Forbidden, what)
}

// lose counts what is gone for good.
func (c *counter) lose(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.stats.Irreversible, what)
}

func add(counts *map[string]int, key string) {
	if *counts == nil {
		*counts = map[string]int{}
	}
	(*counts)[key]++
}

func (c *counter) begin(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running++
	c.stats.MaxConcurrent = max(c.stats.MaxConcurrent, c.running)
	add(&c.stats.Kinds, kind)
}

func (c *counter) end(method string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.stats.Requests == nil {
		c.stats.Requests = map[string]map[string]int{}
	}
	if c.stats.Requests[method] == nil {
		c.stats.Requests[method] = map[string]int{}
	}
	word := "reset"
	if status != 0 {
		word = strconv.Itoa(status)
	}
	c.stats.Requests[method][word]++
	if status == http.StatusConflict {
		c.stats.DuplicatesRefused++
	}
}

// snapshot is a copy that no later request changes; no map of it is nil.
func (c *counter) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Requests = make(map[string]map[string]int, len(c.stats.Requests))
	for method, byStatus := range c.stats.Requests {
		s.Requests[method] = maps.Clone(byStatus)
	}
	for _, counts := range []*map[string]int{&s.Kinds, &s.Forbidden, &s.Irreversible} {
		if *counts = maps.Clone(*counts); *counts == nil {
			*counts = map[string]int{}
		}
	}
	return s
}

// wrap counts the requests that next serves.
func (c *counter) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.begin(kindOf(r))
		seen := &statusWriter{ResponseWriter: w}
		defer func() { c.end(boundedMethod(r.Method), seen.status) }()
		next.ServeHTTP(seen, r)
	})
}

// statusWriter remembers the status; 0 means that none was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(code int) {
	if s.status == 0 {
		s.status = code
	}
	s.ResponseWriter.WriteHeader(code)
}

func (s *statusWriter) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func boundedMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return m
	}
	return "other"
}
