package telemetry

import (
	"context"
	"log/slog"
	"regexp"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Keys of log lines that come from the context and not from whoever writes the line.
const (
	KeyRequest = "request"
	KeyRoute   = "route"
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

// Handle adds the ids of the context, and takes out what looks like somebody's address:
// a target, a database or a mail server may quote one in an error.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	v, span := idsOf(ctx), trace.SpanContextFromContext(ctx)
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(impersonal(a))
		return true
	})
	r = out
	if v.route != nil {
		if name := v.route(); name != "" {
			r.AddAttrs(slog.String(KeyRoute, name))
		}
	}
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
func (h logHandler) WithAttrs(a []slog.Attr) slog.Handler {
	own := make([]slog.Attr, len(a))
	for i, one := range a {
		own[i] = impersonal(one)
	}
	return logHandler{h.next.WithAttrs(own)}
}

// address is what stands for somebody in most systems: a name, an at sign and a host.
var address = regexp.MustCompile(`[^\s"'<>()\[\]{},;=\\/]+@[^\s"'<>()\[\]{},;=\\/:?]+`)

// impersonal is an attribute without addresses of people.
func impersonal(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
	case slog.KindAny:
		err, ok := v.Any().(error)
		if !ok {
			return slog.Attr{Key: a.Key, Value: v}
		}
		v = slog.StringValue(err.Error())
	default:
		return slog.Attr{Key: a.Key, Value: v}
	}
	text := v.String()
	if strings.ContainsRune(text, '@') {
		text = address.ReplaceAllString(text, "[address]")
	}
	return slog.String(a.Key, text)
}

// WithGroup keeps the ids on lines in a group; they stand in it.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.next.WithGroup(name)} }
