package hub

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// What receivers are told of, and who of it is asked something. Names of events are
// those of config.EventNames.

// noticeData is what a notice of a request says.
type noticeData struct {
	Request   string     `json:"request"`
	Role      string     `json:"role"`
	Origin    string     `json:"origin"`
	For       string     `json:"for,omitempty"`      // name of who is to hold the role
	AskedBy   string     `json:"asked_by,omitempty"` // name of who asked
	State     string     `json:"state,omitempty"`
	Review    string     `json:"review,omitempty"` // why it is asked after the fact
	Reason    string     `json:"reason,omitempty"`
	Why       string     `json:"why,omitempty"`
	From      *time.Time `json:"from,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Due       *time.Time `json:"due,omitempty"`
	Approvers []string   `json:"approved_by,omitempty"`
}

// requestNotices are what is told of what happened to a request. It is pure; name is of
// who is to hold the role.
func requestNotices(r model.Request, news []requestNews, name string) (out []store.Notice) {
	escalated := false
	for _, n := range news {
		escalated = escalated || n.kind == newsEscalated
	}
	for _, n := range news {
		data := noticeData{Request: r.ID, Role: r.Role, Origin: r.Origin, For: name, AskedBy: r.Actor, Reason: r.Reason, From: r.From, Until: r.Until,
			Review: n.data.Review, Why: n.data.Why, Due: n.data.Due}
		one := store.Notice{Subject: "request/" + r.ID, Identity: r.Identity, Asked: n.data.Asked}
		switch {
		case n.kind == newsWanted && !escalated:
			one.Type = newsWanted
		case n.kind == newsReminder:
			one.Type = "approval.reminder"
		case n.kind == newsEscalated:
			one.Type = "approval.escalated"
		case n.kind == "request."+string(r.State) && r.State != model.RequestPending:
			one.Type, one.Asked = "approval.decided", unique([]string{r.Identity, r.AskedBy})
			if r.AskedBy == "" {
				one.Asked = []string{r.Identity}
			}
			data.State, data.Approvers = string(r.State), n.data.Approvers
		default:
			continue
		}
		one.Data = data
		out = append(out, one)
	}
	return out
}

// tellReceivers writes what is told of a request.
func tellReceivers(tx *store.Tx, r model.Request, news []requestNews) error {
	if len(requestNotices(r, news, "")) == 0 {
		return nil
	}
	people, err := tx.People([]string{r.Identity})
	if err != nil {
		return err
	}
	return tx.Notify(requestNotices(r, news, people[r.Identity].Name)...)
}

// tellSourceNews writes what is told of a source.
func tellSourceNews(tx *store.Tx, source, what string, data map[string]any) error {
	if what != "source.silent" && what != "source.resumed" {
		return nil
	}
	said := map[string]any{"source": source}
	maps.Copy(said, data)
	return tx.Notify(store.Notice{Type: what, Subject: "source/" + source, Data: said})
}

// tellHeldLeavers writes, once an hour, that leavers of a source wait for a decision.
func tellHeldLeavers(tx *store.Tx, source string) error {
	return tx.Notify(store.Notice{Type: "source.held", Subject: "source/" + source, Key: source + "/" + tx.Now.Format("2006-01-02T15"),
		Data: map[string]any{"source": source, "reason": "more leavers at the source than its guard allows"}})
}

// tellActivated writes that a version of the configuration is in force.
func tellActivated(tx *store.Tx, by Actor, version, textOf int64) error {
	data := map[string]any{"version": version, "by": by.String()}
	if textOf > 0 {
		data["rolled_back"] = fmt.Sprintf("to the text of version %d", textOf)
	}
	return tx.Notify(store.Notice{Type: "config.activated", Subject: "config", Data: data})
}

// tellLate writes that a leaver may still have access.
func tellLate(tx *store.Tx, run model.LeaverRun, l lateLeaver) error {
	data := map[string]any{"target": l.Target, "for": run.UserName, "risk": l.Risk, "goal": l.Goal, "waited": l.Waited, "state": l.State}
	if l.Error != "" {
		data["error"] = l.Error
	}
	if l.Next != nil {
		data["next_try"] = l.Next.UTC().Format(time.RFC3339)
	}
	return tx.Notify(store.Notice{Type: "leaver.late", Subject: "identity/" + run.Identity, Identity: run.Identity,
		Key: run.ID + "/" + l.Target + "/" + string(l.Risk), Data: data})
}

// importRefused writes that an import was not carried out, and why.
func (h *Hub) importRefused(ctx context.Context, by Actor, source string, why error) {
	err := h.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.Notify(store.Notice{Type: "import.refused", Subject: "source/" + source, Key: source + "/" + tx.Now.Format("2006-01-02T15:04"),
			Data: map[string]any{"source": source, "by": by.String(), "why": why.Error()}})
	})
	if err != nil {
		h.Log.WarnContext(ctx, "it cannot be told that an import was refused", "source", source, "error", err)
	}
}

// TellAuditBroken writes, once a day, that the audit trail is not what it was.
func (h *Hub) TellAuditBroken(ctx context.Context, faults int, first string) {
	err := h.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.Notify(store.Notice{Type: "audit.broken", Subject: "audit", Key: tx.Now.Format(time.DateOnly), Data: map[string]any{"faults": faults, "first": first}})
	})
	if err != nil {
		h.Log.WarnContext(ctx, "it cannot be told that the audit trail was changed", "error", err)
	}
}
