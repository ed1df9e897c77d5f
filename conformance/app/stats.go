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
	// MaxConcurrent is the most requests that were in progress at one time.
	MaxConcurrent int `json:"maxConcurrent"`
	// DuplicatesRefused counts the answers 409.
	DuplicatesRefused int `json:"duplicatesRefused"`
}

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

func (c *counter) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running++
	c.stats.MaxConcurrent = max(c.stats.MaxConcurrent, c.running)
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

// snapshot is a copy that no later request changes.
func (c *counter) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Requests = make(map[string]map[string]int, len(c.stats.Requests))
	for method, byStatus := range c.stats.Requests {
		s.Requests[method] = maps.Clone(byStatus)
	}
	return s
}

// wrap counts the requests that next serves.
func (c *counter) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.begin()
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
