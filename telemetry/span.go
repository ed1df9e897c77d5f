package telemetry

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation in what is sent.
const scope = "github.com/scimhub/scimhub"

// Kind says on which side of a call a span stands.
type Kind int

// The kinds of spans.
const (
	Inside Kind = iota // work of the hub itself
	Server             // a request that somebody sent to the hub
	Client             // a request that the hub sent
)

func (k Kind) kind() trace.SpanKind {
	switch k {
	case Server:
		return trace.SpanKindServer
	case Client:
		return trace.SpanKindClient
	case Inside:
	}
	return trace.SpanKindInternal
}

// Attribute is a fact about a span. Its key is one of those in docs/traces.md; its
// value is never one of a person's, of a filter or of a credential.
type Attribute struct{ kv attribute.KeyValue }

// Text is an attribute with a text from a small set: a name of the configuration, a
// verb, a class of errors, an id that the hub made.
func Text(key, value string) Attribute { return Attribute{attribute.String(key, value)} }

// Number is an attribute with a number: a count, a status, a version.
func Number[N ~int | ~int32 | ~int64](key string, value N) Attribute {
	return Attribute{attribute.Int64(key, int64(value))}
}

func plain(attrs []Attribute) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(attrs)+2)
	for _, a := range attrs {
		out = append(out, a.kv)
	}
	return out
}

// Span is a piece of work that is measured, or, where nothing is, nothing: its methods
// do nothing then. The zero value is one of these.
type Span struct{ span trace.Span }

// Traced reports whether the span is recorded: what costs something to find out need
// not be found out for one that is not.
func (s Span) Traced() bool { return s.span != nil }

// Set adds facts that were not known when the span began.
func (s Span) Set(attrs ...Attribute) {
	if s.span != nil {
		s.span.SetAttributes(plain(attrs)...)
	}
}

// Name gives the span another name.
func (s Span) Name(name string) {
	if s.span != nil {
		s.span.SetName(name)
	}
}

// Link says that the work was also done for another trace, in the form of Carry.
func (s Span) Link(carried string) {
	if s.span == nil {
		return
	}
	if remote, _, ok := parseCarried(carried); ok {
		s.span.AddLink(trace.Link{SpanContext: remote})
	}
}

// End ends the span. failed is a word for what went wrong, such as a class of errors
// and never the text of one, which may quote anything; empty: nothing did.
func (s Span) End(failed string) {
	if s.span == nil {
		return
	}
	if failed != "" {
		s.span.SetStatus(codes.Error, failed)
	}
	s.span.End()
}

// Start begins a span inside the one of the context; where there is none, or it is not
// recorded, this one is not either. It costs a look into the context then.
func Start(ctx context.Context, name string, kind Kind, attrs ...Attribute) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	return begin(ctx, parent.TracerProvider(), name, kind, attrs)
}

// Current is the span of the context.
func Current(ctx context.Context) Span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return Span{s}
	}
	return Span{}
}

// Apart is a context without a span, for work that goes on beside what it began in.
func Apart(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}

// In is the context of work that belongs to a span which began elsewhere.
func In(ctx context.Context, s Span) context.Context {
	if s.span == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

func begin(ctx context.Context, p trace.TracerProvider, name string, kind Kind, attrs []Attribute) (context.Context, Span) {
	list := plain(attrs)
	id := idsOf(ctx)
	if id.request != "" {
		list = append(list, attribute.String(AttrRequest, id.request))
	}
	if id.change != "" {
		list = append(list, attribute.String(AttrChange, id.change))
	}
	ctx, span := p.Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind.kind()), trace.WithAttributes(list...))
	if !span.IsRecording() {
		return ctx, Span{}
	}
	return ctx, Span{span}
}

// Carry is what is stored beside work that waits, so that whoever does it goes on with
// the trace: "traceparent request-id", at most 120 bytes. It is empty where nothing is
// traced, and nothing needs to be stored then.
func Carry(ctx context.Context) string {
	c := trace.SpanContextFromContext(ctx)
	if !c.IsValid() || !c.IsSampled() {
		return ""
	}
	text := "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"
	if id := RequestID(ctx); id != "" {
		text += " " + id
	}
	return text
}

// parseCarried reads what Carry wrote; anything else is not ok.
func parseCarried(text string) (span trace.SpanContext, request string, ok bool) {
	parent, request, _ := strings.Cut(text, " ")
	parts := strings.Split(parent, "-")
	if len(parts) != 4 || parts[0] != "00" {
		return trace.SpanContext{}, "", false
	}
	id, err1 := trace.TraceIDFromHex(parts[1])
	at, err2 := trace.SpanIDFromHex(parts[2])
	if err1 != nil || err2 != nil {
		return trace.SpanContext{}, "", false
	}
	if !SaneRequestID(request) {
		request = ""
	}
	span = trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: at, TraceFlags: trace.FlagsSampled, Remote: true})
	return span, request, span.IsValid()
}

// Outbound adds the W3C header of the context's span to a request to a system that is
// to know of it. Where nothing is traced nothing is added.
func Outbound(ctx context.Context, header interface{ Set(name, value string) }) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if v := carrier["traceparent"]; v != "" {
		header.Set("Traceparent", v)
	}
}
