package hub

import (
	"context"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/telemetry"
)

// hop is the evaluation of one person that goes on with the trace of what marked them.
type hop struct {
	span telemetry.Span
	next string // for whoever goes on with it at a target
}

// resume begins the spans of the people in a batch whose marks carry a trace; nil where
// none does. No two marks are of one person.
func (h *Hub) resume(ctx context.Context, snap *Snapshot, marks []store.Mark) map[string]hop {
	if !h.Tracing.On() {
		return nil
	}
	var out map[string]hop
	for _, m := range marks {
		at, span := h.Tracing.Resume(ctx, m.Trace, "evaluate",
			telemetry.Number(telemetry.AttrBatch, len(marks)), telemetry.Number(telemetry.AttrVersion, snap.Version))
		if !span.Traced() {
			continue
		}
		if out == nil {
			out = map[string]hop{}
		}
		out[m.Identity] = hop{span, telemetry.Carry(at)}
	}
	return out
}

// endHops ends the spans of a batch.
func endHops(hops map[string]hop, err error) {
	failed := ""
	if err != nil {
		failed = "evaluation failed"
	}
	for _, one := range hops {
		one.span.End(failed)
	}
}

// decided says in the span what came of an evaluation: figures alone.
func (o hop) decided(d Decision, changed int) {
	if o.span.Traced() {
		o.span.Set(telemetry.Text(telemetry.AttrStage, string(d.Stage)), telemetry.Number(telemetry.AttrRoles, len(d.Grants)),
			telemetry.Number(telemetry.AttrAccounts, len(d.Desired)), telemetry.Number(telemetry.AttrChanges, changed))
	}
}
