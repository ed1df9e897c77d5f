package config

import (
	"errors"
	"math"
	"net/url"
	"strconv"

	"github.com/scimhub/scimhub/model"
)

// Tracing says where traces go. The zero value: nowhere, and nothing is traced.
type Tracing struct {
	OTLP    string                  // URL of the collector, OTLP over HTTP, with its path; empty: tracing is off
	Headers map[string]model.Secret // for the collector, by name
	Sample  *float64                // share of requests, 0 to 1; nil: the environment's, or a tenth
	Service string                  // service.name; empty: the environment's, or scimhub
}

func (r *reader) tracing(n *node) (t Tracing) {
	if n.kind == object {
		r.need(n, "otlp")
	}
	r.fields(n, map[string]func(*node){
		"otlp":    func(n *node) { t.OTLP = r.collector(n) },
		"headers": func(n *node) { t.Headers = r.secretHeaders(n) },
		"sample":  func(n *node) { t.Sample = r.share(n) },
		"service": func(n *node) { t.Service = r.text(n) },
	})
	return t
}

// collector reads the address of a collector. What belongs into a header does not
// belong there: addresses are shown.
func (r *reader) collector(n *node) string {
	return r.checked(n, func(s string) error {
		if err := checkURL(s); err != nil {
			return err
		}
		u, err := url.Parse(s)
		switch {
		case err != nil:
			return errors.New("is no URL")
		case u.User != nil || u.RawQuery != "":
			return errors.New("must hold no user, password or query: what the collector is to know goes into headers")
		case u.Path == "" || u.Path == "/":
			return errors.New("needs the collector's path, which is usually /v1/traces")
		}
		return nil
	})
}

// secretHeaders reads headers whose values may be secret.
func (r *reader) secretHeaders(n *node) map[string]model.Secret {
	if n.kind != object {
		r.fields(n, nil)
		return nil
	}
	out := make(map[string]model.Secret, len(n.entries))
	for _, e := range n.entries {
		if err := checkHeader(e.key); err != nil {
			r.fault(e.value, "%v", err)
			continue
		}
		out[e.key] = r.secret(e.value)
	}
	return out
}

// share reads a number from 0 to 1.
func (r *reader) share(n *node) *float64 {
	f, err := strconv.ParseFloat(n.text, 64)
	if n.kind != number || err != nil || math.IsNaN(f) || f < 0 || f > 1 {
		r.fault(n, "must be a number from 0 to 1")
		return nil
	}
	return &f
}
