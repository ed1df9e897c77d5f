package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// How it is looked for what time alone has brought about.
const (
	noticeTick   = time.Minute
	noticeChunk  = 200 // overdue tasks told in one transaction
	credentialIn = 30 * 24 * time.Hour
)

// endingDays are the distances, in days, at which it is told that a credential comes to
// its end, the nearest first.
func endingDays() []int { return []int{1, 7, 30} }

// WatchNotices tells, until ctx ends, what no write tells of: tasks that are overdue and
// credentials of sources and of the API that come to their end. Any number of replicas
// may do so.
func (h *Hub) WatchNotices(ctx context.Context) {
	tick := time.NewTicker(noticeTick)
	defer tick.Stop()
	for {
		if err := h.NoticeTime(ctx); err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "it cannot be looked for what is overdue or comes to its end", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// NoticeTime looks once.
func (h *Hub) NoticeTime(ctx context.Context) error {
	snap := h.Snapshot()
	if snap == nil {
		return nil
	}
	late, err := h.Store.OverdueUntold(ctx)
	for more := late; err == nil && more; {
		err = h.Store.Update(ctx, func(tx *store.Tx) error {
			more, err = tx.NotifyOverdue(noticeChunk)
			return err
		})
	}
	if err != nil {
		return err
	}
	stored, err := h.Store.LiveTokens(ctx)
	if err != nil {
		return err
	}
	ending := endingNotices(snap.Doc, stored, h.Store.Now())
	if len(ending) == 0 {
		return nil
	}
	told, err := h.Store.Told(ctx, ending)
	if err != nil || told {
		return err
	}
	return h.Store.Update(ctx, func(tx *store.Tx) error { return tx.Notify(ending...) })
}

// endingNotices are the warnings that are due at a moment, each with its own key. It is
// pure. Credentials of targets are warned of by who uses them.
func endingNotices(doc *config.Document, stored []store.Token, now time.Time) (out []store.Notice) {
	add := func(kind, name string, expires *time.Time) {
		if expires == nil || expires.Sub(now) > credentialIn || !expires.After(now) {
			return
		}
		for _, days := range endingDays() {
			if expires.Sub(now) > time.Duration(days)*24*time.Hour {
				continue
			}
			at := expires.UTC().Format(time.RFC3339)
			out = append(out, store.Notice{Type: "credential.expiring", Subject: "credential/" + kind + "/" + name,
				Key: fmt.Sprintf("%s/%s/%s/%d", kind, name, at, days), Data: map[string]any{"kind": kind, "name": name, "expires": at, "days": days}})
			return
		}
	}
	for _, s := range doc.Sources {
		for _, t := range s.Tokens {
			add("source", s.Name+"/"+t.Name, t.Expires)
		}
		for _, b := range s.Basic {
			add("source", s.Name+"/"+b.Name, b.Expires)
		}
	}
	for _, t := range doc.Admin.Tokens {
		add("admin", t.Name, t.Expires)
	}
	for _, t := range stored {
		kind, name := "source", t.Source+"/"+t.Name
		if t.Role != "" {
			kind, name = "api", t.Name
		}
		add(kind, name, t.ExpiresAt)
	}
	return out
}
