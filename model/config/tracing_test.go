package config_test

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/config"
)

func TestTracing(t *testing.T) {
	t.Parallel()
	doc, faults := config.Parse("hub.yaml", []byte(`
database: sqlite:hub.db
tracing: {otlp: "https://collector.example.com/v1/traces", headers: {X-Key: "${env:KEY}", X-Plain: letmein}, sample: 0.25, service: hub-eu}
`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	got := doc.Tracing
	if got.OTLP != "https://collector.example.com/v1/traces" || got.Sample == nil || *got.Sample != 0.25 || got.Service != "hub-eu" || got.Headers["X-Key"].Reference() != "${env:KEY}" {
		t.Errorf("read as %+v", got)
	}
	if strings.Contains(string(doc.Redacted()), "letmein") {
		t.Error("a secret header is stored")
	}
}

func TestTracingRefused(t *testing.T) {
	t.Parallel()
	const good = "otlp: https://c.example.com/v1/traces, "
	for text, want := range map[string]string{
		"{sample: 1}":                                "otlp is required",
		"{otlp: https://c.example.com}":              "needs the collector's path",
		"{otlp: 'https://u:p@c.example.com/v1'}":     "must not hold credentials",
		"{otlp: 'https://c.example.com/v1?key=x'}":   "must hold no user, password or query",
		"{otlp: 'ftp://c.example.com/v1'}":           "http",
		"{" + good + "sample: 1.5}":                  "must be a number from 0 to 1",
		"{" + good + "sample: half}":                 "must be a number from 0 to 1",
		"{" + good + "sample: .nan}":                 "must be a number from 0 to 1",
		"{" + good + "headers: {'a b': '${env:K}'}}": "is not the name of an HTTP header",
		"{" + good + "headers: {Host: '${env:K}'}}":  "cannot carry a credential",
		"{" + good + "headers: [x]}":                 "must be a mapping",
		"{" + good + "samples: 1}":                   "did you mean",
		"https://c.example.com/v1/traces":            "must be a mapping",
	} {
		_, faults := config.Parse("hub.yaml", []byte("database: sqlite:hub.db\ntracing: "+text+"\n"))
		if len(faults) == 0 || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%s: %v; want %q", text, faults, want)
		}
	}
}
