package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Keys of log lines that come from the context and not from whoever writes the line.
const (
	KeyRequest = "request"
	KeyChange  = "change"
	KeyTrace   = "trace_id"
	KeySpan    = "span_id"
)

// Logs makes a handler whose lines say to which request, change and trace they belong,
// where the context of the line knows.
func Logs(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ next slog.Handler }

// Enabled asks the handler below.
func (h logHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle adds the ids of the context.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	v, span := idsOf(ctx), trace.SpanContextFromContext(ctx)
	if v == (ids{}) && !span.IsValid() {
		return h.next.Handle(ctx, r)
	}
	r = r.Clone()
	if v.request != "" {
		r.AddAttrs(slog.String(KeyRequest, v.request))
	}
	if v.change != "" {
		r.AddAttrs(slog.String(KeyChange, v.change))
	}
	if span.IsValid() && span.IsSampled() {
		r.AddAttrs(slog.String(KeyTrace, span.TraceID().String()), slog.String(KeySpan, span.SpanID().String()))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs keeps the ids on lines with attributes of their own.
func (h logHandler) WithAttrs(a []slog.Attr) slog.Handler { return logHandler{h.next.WithAttrs(a)} }

// WithGroup keeps the ids on lines in a group; they stand in it.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.next.WithGroup(name)} }
