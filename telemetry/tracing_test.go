package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"pgregory.net/rapid"
)

func all() *float64 { one := 1.0; return &one }

// TestCollectorHangs shows that a collector which never answers slows nobody down, and
// that what waits for it is bounded.
func TestCollectorHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	var asked atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer sink.Close()
	defer close(hang)
	tr := &Tracing{Log: slog.New(slog.DiscardHandler), patience: 50 * time.Millisecond}
	if err := tr.Configure(t.Context(), Settings{URL: sink.URL + "/v1/traces", Sample: all()}); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 100_000
	began := time.Now()
	for range n {
		_, span := tr.Root(t.Context(), "work", Inside, Text(AttrTarget, "git"))
		span.End("")
	}
	each := time.Since(began) / n
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("%d spans that nobody takes hold %d MiB", n, grown>>20)
	}
	if each > time.Millisecond {
		t.Errorf("each span took %s while the collector hung", each)
	}
	tr.Stop(t.Context()) // returns though nobody answers
	if tr.On() {
		t.Error("tracing is on after it was stopped")
	}
	if asked.Load() == 0 {
		t.Error("the collector was never asked: the test shows nothing")
	}
}

// TestCollectorAway shows that a collector which refuses is told of once, without the
// address, and that its return is told.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	sink := &failing{err: errors.New("refused")}
	r := &reporting{to: sink, log: slog.New(slog.NewTextHandler(&text, nil))}
	for range 3 {
		if err := r.ExportSpans(t.Context(), nil); err != nil {
			t.Errorf("the library is told of %v and would write it to standard error", err)
		}
	}
	sink.err = nil
	_ = r.ExportSpans(t.Context(), nil)
	if got := strings.Count(text.String(), "cannot be sent"); got != 1 {
		t.Errorf("told %d times:\n%s", got, text.String())
	}
	if got := strings.Count(text.String(), "sent again"); got != 1 {
		t.Errorf("the return was told %d times", got)
	}
}

// TestCarry carries a trace as it is stored, and takes nothing that was not written so.
func TestCarry(t *testing.T) {
	t.Parallel()
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer sink.Close()
	tr := &Tracing{patience: time.Second}
	if got := Carry(WithRequest(t.Context(), "r1")); got != "" {
		t.Errorf("%q is stored though nothing is traced", got)
	}
	if err := tr.Configure(t.Context(), Settings{URL: sink.URL + "/v1/traces", Sample: all()}); err != nil {
		t.Fatal(err)
	}
	defer tr.Stop(context.WithoutCancel(t.Context()))
	ctx, span := tr.Request(WithRequest(t.Context(), strings.Repeat("r", maxRequestID)), "GET", "")
	defer span.End("")
	carried := Carry(ctx)
	if len(carried) > 120 || carried == "" {
		t.Fatalf("carried %q", carried)
	}
	later, hop := tr.Resume(t.Context(), carried, "evaluate")
	defer hop.End("")
	if got := RequestID(later); got != strings.Repeat("r", maxRequestID) {
		t.Errorf("the request is %q afterwards", got)
	}
	if got, want := Carry(later)[:36], carried[:36]; got != want {
		t.Errorf("trace %s goes on as %s", want, got)
	}
	rapid.Check(t, func(t *rapid.T) {
		if _, _, ok := parseCarried(rapid.String().Draw(t, "text")); ok {
			t.Fatal("anything is taken for a trace")
		}
	})
	if _, request, ok := parseCarried(carried[:55] + " a\"b"); !ok || request != "" {
		t.Errorf("request %q was taken over", request)
	}
	if _, span := tr.Resume(t.Context(), "", "evaluate"); span.Traced() {
		t.Error("work is traced whose cause was not")
	}
}

// TestUnsampled shows that a request which is not traced leaves nothing to carry.
func TestUnsampled(t *testing.T) {
	t.Parallel()
	none := 0.0
	tr := &Tracing{patience: time.Millisecond}
	if err := tr.Configure(t.Context(), Settings{URL: "http://127.0.0.1:1/v1/traces", Sample: &none}); err != nil {
		t.Fatal(err)
	}
	defer tr.Stop(context.WithoutCancel(t.Context()))
	ctx, span := tr.Request(t.Context(), "GET", "")
	if span.Traced() || Carry(ctx) != "" {
		t.Error("something is traced")
	}
	if _, inner := Start(ctx, "transaction", Client); inner.Traced() {
		t.Error("something below is traced")
	}
	ctx, span = tr.Request(t.Context(), "GET", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if !span.Traced() || !strings.HasPrefix(Carry(ctx), "00-4bf92f3577b34da6a3ce929d0e0e4736-") {
		t.Error("the trace of who is believed is not gone on with")
	}
	span.End("")
}

// TestRequestIDs takes nothing from a client that could forge a line of a log.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"": false, "a": true, "A.b_c-9": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
		"a b": false, "a\nb": false, `a"b`: false, "ä": false, "a\x00": false, "{{": false,
	} {
		if got := SaneRequestID(id); got != want {
			t.Errorf("%q: %t", id, got)
		}
	}
	if a, b := NewRequestID(), NewRequestID(); a == b || !SaneRequestID(a) {
		t.Errorf("%q and %q", a, b)
	}
	if ChangeID("a", "bc", 1, "create", "") == ChangeID("ab", "c", 1, "create", "") || ChangeID("a", "b", 1, "create", "") == ChangeID("a", "b", 2, "create", "") {
		t.Error("two changes have one id")
	}
}

// TestLogIDs shows the ids on a line, and nobody's address.
func TestLogIDs(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log := slog.New(Logs(slog.NewTextHandler(&text, nil))).With("target", "git")
	ctx := WithRoute(WithChange(WithRequest(t.Context(), "r1"), "c1"), func() string { return "/x/{id}" })
	log.WarnContext(ctx, "m", "error", errors.New(`550 no such user "ada.l@mail.example.com" here`), "n", 3)
	for _, want := range []string{"request=r1", "change=c1", "route=/x/{id}", "target=git", "n=3", "[address]"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in %s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "ada") {
		t.Errorf("somebody is named: %s", text.String())
	}
}

type failing struct{ err error }

func (f *failing) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return f.err }
func (f *failing) Shutdown(context.Context) error                        { return nil }

// BenchmarkOff is what tracing costs while it is off: on the way of a request, and of a
// transaction in it.
func BenchmarkOff(b *testing.B) {
	var tr Tracing
	ctx := WithRequest(b.Context(), "r1")
	b.ReportAllocs()
	for b.Loop() {
		under, span := tr.Request(ctx, "POST", "")
		_, inner := Start(under, "transaction", Client, Text(AttrDatabase, "sqlite"))
		inner.End("")
		_ = Carry(under)
		span.End("")
	}
}

// BenchmarkOn is the same with everything traced.
func BenchmarkOn(b *testing.B) {
	tr := Tracing{patience: time.Millisecond}
	if err := tr.Configure(b.Context(), Settings{URL: "http://127.0.0.1:1/v1/traces", Sample: all()}); err != nil {
		b.Fatal(err)
	}
	defer tr.Stop(context.WithoutCancel(b.Context()))
	ctx := WithRequest(b.Context(), "r1")
	b.ReportAllocs()
	for b.Loop() {
		under, span := tr.Request(ctx, "POST", "")
		_, inner := Start(under, "transaction", Client, Text(AttrDatabase, "sqlite"))
		inner.End("")
		_ = Carry(under)
		span.End("")
	}
}
