package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// watchEvery is how often sources are looked at, and how often it is written at most
// that one of them was heard of.
const watchEvery = time.Minute

// sourceWatch is what this process remembers of when sources were heard of.
type sourceWatch struct {
	heard   sync.Map      // source -> time.Time, as written last
	passing sync.Map      // source -> time.Time, to be written
	passed  chan struct{} // tells WatchSources
}

// SourceSeen notes that a source was heard of. It writes at most once a minute for
// each source, so it may be called with every request.
func (h *Hub) SourceSeen(ctx context.Context, source string, at time.Time) error {
	if last, ok := h.sources.heard.Load(source); ok {
		if t, _ := last.(time.Time); at.Sub(t) < watchEvery {
			return nil
		}
	}
	err := h.Store.Update(ctx, func(tx *store.Tx) error {
		since, err := tx.SeeSource(source, at)
		if err != nil || since == nil {
			return err
		}
		if err := tx.SetSourceFinding(silence(source, ""), false); err != nil {
			return err
		}
		return tellSource(tx, source, "source.resumed", map[string]any{"silent_since": since.Format(time.RFC3339)})
	})
	if err == nil {
		h.sources.heard.Store(source, at)
	}
	return err
}

// SeenInPassing is SourceSeen for whoever does not wait for the database: it is noted
// soon.
func (h *Hub) SeenInPassing(source string) {
	now := h.Store.Now()
	if last, ok := h.sources.heard.Load(source); ok {
		if t, _ := last.(time.Time); now.Sub(t) < watchEvery {
			return
		}
	}
	if _, waiting := h.sources.passing.LoadOrStore(source, now); waiting {
		return
	}
	select {
	case h.sources.passed <- struct{}{}:
	default:
	}
}

// WatchSources notes which sources were heard of and finds those that are silent, until
// ctx ends. Nothing is taken away because of silence.
func (h *Hub) WatchSources(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if err := h.FindSilence(ctx); err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "sources cannot be looked at", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.sources.passed:
		}
	}
}

// FindSilence notes who was heard of, and who has not been for longer than the
// configuration allows.
func (h *Hub) FindSilence(ctx context.Context) error {
	var failed error
	h.sources.passing.Range(func(source, at any) bool {
		h.sources.passing.Delete(source)
		name, _ := source.(string)
		seen, _ := at.(time.Time)
		failed = h.SourceSeen(ctx, name, seen)
		return failed == nil
	})
	snap := h.Snapshot()
	if failed != nil || snap == nil {
		return failed
	}
	states, err := h.Store.SourceStates(ctx)
	if err != nil {
		return err
	}
	for _, s := range snap.Doc.Sources {
		if err := h.findSilence(ctx, s, states); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hub) findSilence(ctx context.Context, s config.Source, states map[string]store.SourceState) error {
	state, watched := states[s.Name]
	now := h.Store.Now()
	deadline := now.Add(-s.Silent)
	switch {
	case s.Silent <= 0 && state.SilentSince == nil:
		return nil
	case !watched:
		return h.Store.Update(ctx, func(tx *store.Tx) error { return tx.WatchSource(s.Name) })
	case state.SilentSince != nil && (s.Silent <= 0 || state.Heard().After(deadline)): // by another configuration
		return h.Store.Update(ctx, func(tx *store.Tx) error {
			changed, err := tx.UnsilenceSource(s.Name)
			if err != nil || !changed {
				return err
			}
			return tx.SetSourceFinding(silence(s.Name, ""), false)
		})
	case state.SilentSince != nil || state.Heard().After(deadline):
		return nil
	}
	return h.Store.Update(ctx, func(tx *store.Tx) error {
		fresh, err := tx.SilenceSource(s.Name, deadline)
		if err != nil || !fresh {
			return err
		}
		message := "source " + s.Name + " has sent nothing since " + state.Heard().Format(time.RFC3339)
		if state.LastSeen == nil {
			message = "source " + s.Name + " has sent nothing yet"
		}
		h.Log.WarnContext(ctx, "source is silent", "source", s.Name, "since", state.Heard())
		if err := tx.SetSourceFinding(silence(s.Name, message+", longer than it may be silent; nothing is taken away because of it"), true); err != nil {
			return err
		}
		data := map[string]any{"silent": s.Silent.String()}
		if state.LastSeen != nil {
			data["last_seen"] = state.LastSeen.Format(time.RFC3339)
		}
		return tellSource(tx, s.Name, "source.silent", data)
	})
}

// silence is the finding about a source that is not heard of.
func silence(source, message string) model.Finding {
	return model.Finding{Kind: model.FindingSource, Subject: "silent", Source: source, Message: message}
}

// tellSource writes what befell a source into its events and the audit trail.
func tellSource(tx *store.Tx, source, what string, data map[string]any) error {
	if err := tx.AddEvent(store.Event{Type: what, Source: source, Data: data}); err != nil {
		return err
	}
	if err := tellSourceNews(tx, source, what, data); err != nil {
		return err
	}
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return tx.Audit(store.AuditEntry{Actor: "hub", Action: what, Object: "source/" + source, Data: body})
}
