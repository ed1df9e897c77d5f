package fanout

import (
	"context"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/telemetry"
)

// hop is the work on one account that goes on with the trace of what made it due. The
// zero value is that of work which is not traced.
type hop struct {
	span    telemetry.Span
	request string // the inbound request that it follows from
}

// resume begins the span of a job whose row carries a trace.
func (r *runner) resume(ctx context.Context, j *job) {
	if j.row.Trace == "" || r.trial {
		return
	}
	at, span := r.w.Tracing.Resume(ctx, j.row.Trace, "sync", telemetry.Text(telemetry.AttrTarget, r.target.Name),
		telemetry.Number(telemetry.AttrAttempt, j.row.Attempts+1))
	if span.Traced() {
		j.hop = hop{span, telemetry.RequestID(at)}
	}
}

// in is the context of what is done for the job.
func (o hop) in(ctx context.Context) context.Context {
	if !o.span.Traced() {
		return ctx
	}
	if o.request != "" {
		ctx = telemetry.WithRequest(ctx, o.request)
	}
	return telemetry.In(ctx, o.span)
}

// planned says in the span how much is to be done.
func (j *job) planned() {
	if j.hop.span.Traced() {
		j.hop.span.Set(telemetry.Number(telemetry.AttrChanges, len(j.changes)))
	}
}

// ended ends the span with what became of the account.
func (j *job) ended() {
	if !j.hop.span.Traced() {
		return
	}
	result, failed := "done", ""
	switch {
	case j.err != nil:
		result = string(ClassOf(j.err))
		failed = result
	case j.held != "":
		result = "held"
	case j.drop || j.yielded || j.stolen:
		result = "left for later"
	}
	j.hop.span.Set(telemetry.Text(telemetry.AttrResult, result))
	j.hop.span.End(failed)
}

// changing begins one change of an account at the target: its id is in the log, in the
// span, in the audit entry and in whatever is logged until end is called.
func (r *runner) changing(ctx context.Context, j *job, c model.Change) (under context.Context, end func(error)) {
	return r.outgoing(j.hop.in(ctx), telemetry.ChangeID(r.target.Name, c.Identity, j.row.Generation, string(c.Verb), c.Group), string(c.Verb))
}

// outgoing begins a change of the given id.
func (r *runner) outgoing(ctx context.Context, id, verb string) (under context.Context, end func(error)) {
	ctx, span := telemetry.Start(telemetry.WithChange(ctx, id), verb, telemetry.Inside,
		telemetry.Text(telemetry.AttrTarget, r.target.Name), telemetry.Text(telemetry.AttrVerb, verb))
	r.log.DebugContext(ctx, "change goes out", "verb", verb)
	return ctx, func(err error) {
		if err == nil {
			r.log.DebugContext(ctx, "change carried out", "verb", verb)
			span.Set(telemetry.Text(telemetry.AttrResult, "ok"))
			span.End("")
			return
		}
		class := string(ClassOf(err))
		r.log.InfoContext(ctx, "change failed", "verb", verb, "class", class)
		span.Set(telemetry.Text(telemetry.AttrResult, class))
		span.End(class)
	}
}

// changingMembers is changing for memberships that go in one request: the trace is that
// of the first account which has one, with links from it to the others.
func (r *runner) changingMembers(ctx context.Context, name string, members []member, verb model.Verb) (under context.Context, end func(error)) {
	for i, m := range members {
		if !m.job.hop.span.Traced() {
			continue
		}
		for _, other := range members[i+1:] {
			m.job.hop.span.Link(other.job.row.Trace)
		}
		ctx = m.job.hop.in(ctx) //nolint:fatcontext // the loop ends here: once
		break
	}
	first := members[0]
	return r.outgoing(ctx, telemetry.ChangeID(r.target.Name, first.change.Identity, first.job.row.Generation, string(first.change.Verb), name), string(verb))
}

// asking begins the span of one request to a target. propagate adds the trace to it.
func asking(ctx context.Context, r request) (context.Context, telemetry.Span) {
	kind := kindOf(r.method, r.path)
	if r.address != "" {
		kind = "own API"
	}
	return telemetry.Start(ctx, r.method+" "+kind, telemetry.Client, telemetry.Text(telemetry.AttrMethod, r.method), telemetry.Text(telemetry.AttrResource, kind))
}

// answered ends the span of a request.
func answered(span telemetry.Span, status int, err error) {
	if !span.Traced() {
		return
	}
	failed := ""
	if err != nil {
		e := asClientError(err)
		failed = string(e.Class)
		if status == 0 {
			status = e.Status
		}
	}
	if status != 0 {
		span.Set(telemetry.Number(telemetry.AttrStatus, status))
	}
	span.End(failed)
}
