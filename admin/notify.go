package admin

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/notify"
)

// EventView is something that happened and was to be told.
type EventView struct {
	store.Notice
	For   string `json:"for,omitempty"` // name of whom it is about
	Title string `json:"title"`         // in words
	Path  string `json:"path"`          // of the page that shows more
}

// DeliveryView is one event on its way to one receiver.
type DeliveryView struct {
	store.Delivery
	To string `json:"to,omitempty"` // whom an e-mail goes to: a name, or an address
}

// ReceiverView is who is told, and how that went of late.
type ReceiverView struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`   // webhook or email
	To      string   `json:"to"`     // the host, or who is written to
	Events  []string `json:"events"` // empty: all
	Digest  string   `json:"digest,omitempty"`
	State   string   `json:"state"`   // untried, works, failing, or off: it said that it is gone
	Pending int      `json:"pending"` // on their way
	store.ReceiverState
}

// NotifyTest says which receiver is sent a test.
type NotifyTest struct {
	Receiver string `json:"receiver"`
}

// ActView is what a link in a message leads to: one question, one answer prepared.
type ActView struct {
	Request hub.RequestView `json:"request"`
	Verb    string          `json:"verb"` // approve or deny
	For     string          `json:"for"`  // name of whom the link was sent to
	Expires time.Time       `json:"expires"`
	Waits   bool            `json:"waits"`         // the question still waits for an answer
	Why     string          `json:"why,omitempty"` // not, in words
}

func (a *API) notifications(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	f := store.NoticeFilter{Type: v.Get("type"), After: v.Get("cursor"), Limit: limit}
	var items []EventView
	var next string
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		if who := v.Get("for"); who != "" {
			row, err := tx.FindIdentity(who)
			if err != nil {
				return err
			}
			f.Identity = row.ID
		}
		list, more, err := tx.Notices(f)
		if err != nil {
			return err
		}
		next = more
		items, err = viewEvents(tx, list)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list(items, next), nil
}

func viewEvents(tx *store.Tx, notices []store.Notice) ([]EventView, error) {
	var ids []string
	for _, n := range notices {
		if n.Identity != "" {
			ids = append(ids, n.Identity)
		}
	}
	people, err := tx.People(ids)
	if err != nil {
		return nil, err
	}
	out := make([]EventView, len(notices))
	for i, n := range notices {
		m := notify.Words(n)
		out[i] = EventView{Notice: n, For: people[n.Identity].Name, Title: m.Title, Path: m.Path}
	}
	return out, nil
}

func (a *API) deliveries(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	f := store.DeliveryFilter{Receiver: v.Get("receiver"), State: v.Get("state"), Notice: v.Get("event"), After: v.Get("cursor"), Limit: limit}
	var items []DeliveryView
	var next string
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		found, more, err := tx.Deliveries(f)
		if err != nil {
			return err
		}
		next = more
		items, err = viewDeliveries(tx, found...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list(items, next), nil
}

func viewDeliveries(tx *store.Tx, found ...store.Delivery) ([]DeliveryView, error) {
	var ids []string
	for _, d := range found {
		if d.Recipient != "" {
			ids = append(ids, d.Recipient)
		}
	}
	people, err := tx.People(ids)
	if err != nil {
		return nil, err
	}
	out := make([]DeliveryView, len(found))
	for i, d := range found {
		out[i] = DeliveryView{Delivery: d, To: d.Recipient}
		if p, is := people[d.Recipient]; is {
			out[i].To = p.Name
		}
	}
	return out, nil
}

// delivery reads one as it is shown.
func (a *API) delivery(r *http.Request, id string) (v DeliveryView, err error) {
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		d, err := tx.Delivery(id)
		if err != nil {
			return err
		}
		views, err := viewDeliveries(tx, d)
		if err == nil {
			v = views[0]
		}
		return err
	})
	return v, err
}

func (a *API) showDelivery(r *http.Request, _ Caller) (any, error) {
	return a.delivery(r, mux.Vars(r)["delivery"])
}

func (a *API) retryDelivery(r *http.Request, by Caller) (any, error) {
	d, err := a.Hub.RetryDelivery(r.Context(), hub.Actor{Name: by.Name}, mux.Vars(r)["delivery"])
	if err != nil {
		return nil, err
	}
	return a.delivery(r, d.ID)
}

func (a *API) testReceiver(r *http.Request, by Caller) (any, error) {
	var in NotifyTest
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	id, err := a.Hub.TestReceiver(r.Context(), hub.Actor{Name: by.Name}, by.Person, in.Receiver)
	if err != nil {
		return nil, err
	}
	return a.delivery(r, id)
}

func (a *API) receivers(r *http.Request, _ Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	known, err := a.Hub.Store.Receivers(r.Context())
	if err != nil {
		return nil, err
	}
	pending, err := a.Hub.Store.PendingDeliveries(r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]ReceiverView, len(snap.Doc.Notify))
	for i, c := range snap.Doc.Notify {
		out[i] = viewReceiver(c, known[c.Name], pending[c.Name])
	}
	return list(out, ""), nil
}

func viewReceiver(c config.Receiver, st store.ReceiverState, pending int) ReceiverView {
	v := ReceiverView{Name: c.Name, Kind: "email", To: notify.Whereto(c), Events: c.Events, Digest: c.Digest, Pending: pending, State: "works", ReceiverState: st}
	if !c.Webhook.IsZero() {
		v.Kind, v.Digest = "webhook", ""
	}
	if v.Events == nil {
		v.Events = []string{}
	}
	if st.Fingerprint != notify.Fingerprint(c) {
		v.ReceiverState = store.ReceiverState{} // of where it was before
	}
	switch {
	case v.Off != nil:
		v.State = "off"
	case v.Failures > 0:
		v.State = "failing"
	case v.LastOK == nil:
		v.State = "untried"
	}
	v.ReceiverState.Name = c.Name
	return v
}

// followLink shows what a link in a message leads to, to nobody but whom it was sent
// to, and decides nothing.
func (a *API) followLink(r *http.Request, by Caller) (any, error) {
	key, err := a.Hub.Store.ProcessKey(r.Context(), notify.LinkKeyName)
	if err != nil {
		return nil, err
	}
	l, err := notify.ParseLink(key, r.URL.Query().Get("t"), a.now())
	if err != nil {
		return nil, err
	}
	name, err := a.Hub.SentTo(r.Context(), by.who(), l.Person)
	if err != nil {
		return nil, err
	}
	q, err := a.Hub.ShownRequest(r.Context(), by.who(), true, l.Request)
	if err != nil {
		return nil, err
	}
	v := ActView{Request: q, Verb: l.Verb, For: name, Expires: l.Expires, Waits: notify.StepOf(q.Request) == l.Step}
	if !v.Waits {
		v.Why = "the question has been answered, or is another one by now: the request is " + string(q.State)
		if q.Why != "" {
			v.Why += " (" + q.Why + ")"
		}
	}
	return v, nil
}

// releasedNotice tells that somebody let held changes pass.
func releasedNotice(target string, by Caller, digest string, changes int) store.Notice {
	return store.Notice{Type: "plan.released", Subject: "target/" + target,
		Data: map[string]any{"target": target, "by": by.Name, "digest": digest, "changes": changes}}
}
