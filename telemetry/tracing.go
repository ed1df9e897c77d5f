package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Limits of what tracing may cost while its collector is slow or away.
const (
	flushPatience = 5 * time.Second  // for what is left when tracing ends
	sendPatience  = 10 * time.Second // for one batch, attempts included
	retryPatience = 8 * time.Second
)

// DefaultSample is the share of requests that is traced where nothing else is said.
const DefaultSample = 0.1

// Settings say where spans go. The zero value: nowhere.
type Settings struct {
	URL     string            // of the collector's OTLP over HTTP, with its path; empty: tracing is off
	Headers map[string]string // for the collector; they may be secret
	Sample  *float64          // share of requests, 0 to 1; nil: OTEL_TRACES_SAMPLER, or DefaultSample
	Service string            // service.name; empty: OTEL_SERVICE_NAME, or scimhub
	Version string            // service.version
	Replica string            // service.instance.id
}

func (s Settings) same(o Settings) bool {
	if (s.Sample == nil) != (o.Sample == nil) || s.Sample != nil && *s.Sample != *o.Sample {
		return false
	}
	return s.URL == o.URL && s.Service == o.Service && s.Version == o.Version && s.Replica == o.Replica && maps.Equal(s.Headers, o.Headers)
}

// Tracing begins traces. Nothing is traced before Configure; a nil Tracing traces
// nothing. It is safe for concurrent use.
type Tracing struct {
	Log *slog.Logger

	patience time.Duration // for what is left when tracing ends; 0: flushPatience

	now    atomic.Pointer[trace.TracerProvider] // nil: off
	mu     sync.Mutex
	used   Settings
	sdk    *sdk.TracerProvider
	ending sync.WaitGroup
}

// Configure puts settings in force; equal ones change nothing. What the former ones had
// gathered is still sent, beside the caller.
func (t *Tracing) Configure(ctx context.Context, s Settings) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used.same(s) {
		return nil
	}
	if s.URL == "" {
		t.swap(ctx, nil, s)
		return nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(s.URL), otlptracehttp.WithHeaders(s.Headers),
		otlptracehttp.WithTimeout(sendPatience), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: retryPatience / 2, MaxElapsedTime: retryPatience}))
	if err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	t.swap(ctx, t.provider(ctx, s, exporter), s)
	return nil
}

// provider makes what samples and gathers spans. Its queue is bounded: spans that find it
// full are dropped, and nobody waits.
func (t *Tracing) provider(ctx context.Context, s Settings, to sdk.SpanExporter) *sdk.TracerProvider {
	opts := []sdk.TracerProviderOption{sdk.WithBatcher(&reporting{to: to, log: t.Log}), sdk.WithResource(s.resource(ctx))}
	switch {
	case s.Sample != nil:
		opts = append(opts, sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(*s.Sample))))
	case !environmentSamples():
		opts = append(opts, sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(DefaultSample))))
	}
	return sdk.NewTracerProvider(opts...)
}

// resource says who sends: what is configured goes before what the environment says.
func (s Settings) resource(ctx context.Context) *resource.Resource {
	base := []attribute.KeyValue{attribute.String("service.name", "scimhub"), attribute.String("service.version", s.Version)}
	if s.Replica != "" {
		base = append(base, attribute.String("service.instance.id", s.Replica))
	}
	parts := []*resource.Resource{resource.NewSchemaless(base...)}
	if env, err := resource.New(ctx, resource.WithFromEnv()); err == nil {
		parts = append(parts, env)
	}
	if s.Service != "" {
		parts = append(parts, resource.NewSchemaless(attribute.String("service.name", s.Service)))
	}
	out := parts[0]
	for _, p := range parts[1:] {
		if merged, err := resource.Merge(out, p); err == nil {
			out = merged
		}
	}
	return out
}

func (t *Tracing) swap(ctx context.Context, next *sdk.TracerProvider, s Settings) {
	old := t.sdk
	t.used, t.sdk = s, next
	if next == nil {
		t.now.Store(nil)
	} else {
		p := trace.TracerProvider(next)
		t.now.Store(&p)
	}
	if old == nil {
		return
	}
	t.ending.Go(func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(t.patience, flushPatience))
		defer cancel()
		_ = old.Shutdown(limit) // what could not be sent was said already
	})
}

// Stop ends tracing and sends what is left, for a few seconds at most.
func (t *Tracing) Stop(ctx context.Context) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.swap(ctx, nil, Settings{})
	t.mu.Unlock()
	t.ending.Wait()
}

// On reports whether anything is traced.
func (t *Tracing) On() bool { return t != nil && t.now.Load() != nil }

// Request begins the span of a request that somebody sent. parent is its traceparent
// header where who sent it is believed; else empty, and the trace begins here.
func (t *Tracing) Request(ctx context.Context, name, parent string, attrs ...Attribute) (context.Context, Span) {
	if !t.On() {
		return ctx, Span{}
	}
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
	}
	return t.begin(ctx, name, Server, attrs)
}

// Root begins a trace of work that nobody asked for by a request.
func (t *Tracing) Root(ctx context.Context, name string, kind Kind, attrs ...Attribute) (context.Context, Span) {
	if !t.On() {
		return ctx, Span{}
	}
	return t.begin(Apart(ctx), name, kind, attrs)
}

// Resume goes on with a trace whose work waited in the database, in the form of Carry.
// Where nothing was carried nothing is traced.
func (t *Tracing) Resume(ctx context.Context, carried, name string, attrs ...Attribute) (context.Context, Span) {
	if carried == "" || !t.On() {
		return ctx, Span{}
	}
	remote, request, ok := parseCarried(carried)
	if !ok {
		return ctx, Span{}
	}
	if request != "" {
		ctx = WithRequest(ctx, request)
	}
	return t.begin(trace.ContextWithRemoteSpanContext(ctx, remote), name, Inside, attrs)
}

func (t *Tracing) begin(ctx context.Context, name string, kind Kind, attrs []Attribute) (context.Context, Span) {
	p := t.now.Load()
	if p == nil {
		return ctx, Span{}
	}
	return begin(ctx, *p, name, kind, attrs)
}

// reporting tells the log, once, that spans cannot be sent, and once that they can be
// again; the library would write each failure to standard error.
type reporting struct {
	to     sdk.SpanExporter
	log    *slog.Logger
	failed atomic.Bool
	lost   atomic.Int64
}

// ExportSpans sends a batch; its failure is told here and is no business of the caller's.
func (r *reporting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := r.to.ExportSpans(ctx, spans)
	switch {
	case err != nil && errors.Is(err, context.Canceled):
	case err != nil:
		r.lost.Add(int64(len(spans)))
		if r.failed.CompareAndSwap(false, true) && r.log != nil {
			r.log.WarnContext(ctx, "traces cannot be sent", "error", unquoted(err))
		}
	case r.failed.CompareAndSwap(true, false) && r.log != nil:
		r.log.InfoContext(ctx, "traces are sent again", "n", r.lost.Swap(0))
	}
	return nil
}

// Shutdown ends the exporter.
func (r *reporting) Shutdown(ctx context.Context) error { return r.to.Shutdown(ctx) }
