package conformance

import (
	"encoding/json"
	"io"
	"time"
)

// Outcome is how a check ended.
type Outcome string

// The outcomes. A Skip has a reason.
const (
	Pass Outcome = "pass"
	Fail Outcome = "fail" // a must is not met
	Warn Outcome = "warn" // a should or may is not met
	Skip Outcome = "skip"
)

// Result is the outcome of one check, of one subject where it has several.
type Result struct {
	Info
	Subject   string     `json:"subject,omitempty"`
	Outcome   Outcome    `json:"outcome"`
	Reason    string     `json:"reason,omitempty"` // why it was skipped
	Expected  string     `json:"expected,omitempty"`
	Got       string     `json:"got,omitempty"`
	Exchanges []Exchange `json:"exchanges,omitempty"` // of findings: the last few requests, the telling one last
	Seconds   float64    `json:"seconds"`
}

// Exchange is one request with its answer, without credentials, bodies clipped.
type Exchange struct {
	Method         string            `json:"method"`
	URL            string            `json:"url"`
	RequestHeader  map[string]string `json:"request_header,omitempty"`
	RequestBody    string            `json:"request_body,omitempty"`
	Status         int               `json:"status"` // 0 if there was no answer
	ResponseHeader map[string]string `json:"response_header,omitempty"`
	ResponseBody   string            `json:"response_body,omitempty"`
	Error          string            `json:"error,omitempty"`
}

// Report is what a run found out.
type Report struct {
	URL       string          `json:"url"`
	Profile   string          `json:"profile"`
	Run       string          `json:"run"` // the name that everything made by this run begins with
	Started   time.Time       `json:"started"`
	Seconds   float64         `json:"seconds"`
	Requests  int             `json:"requests"`
	Stopped   string          `json:"stopped,omitempty"` // why not every check ran
	Features  map[string]bool `json:"features"`          // what the service says it supports
	Notes     []string        `json:"notes,omitempty"`   // what the run had to assume
	Counts    map[Outcome]int `json:"counts"`
	Results   []Result        `json:"items"`
	Leftovers []string        `json:"leftovers,omitempty"` // what was made and could not be removed
}

// Count returns how many results have the outcome.
func (r *Report) Count(o Outcome) int { return r.Counts[o] }

// count fills in Counts; all four outcomes are always there.
func (r *Report) count() {
	r.Counts = map[Outcome]int{Pass: 0, Fail: 0, Warn: 0, Skip: 0}
	for _, res := range r.Results {
		r.Counts[res.Outcome]++
	}
}

// WriteJSON writes the report as one indented JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
