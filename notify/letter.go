package notify

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"net/mail"
	"strings"
	"sync"
	texttemplate "text/template"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// letter is one e-mail.
type letter struct {
	To         string // a bare address
	Person     bool   // to somebody the hub knows
	Subject    string
	Items      []item
	deliveries []store.Delivery
}

// item is one notice in a letter.
type item struct {
	Message
	Link          string
	Approve, Deny string // links with an answer prepared; empty: nothing is asked
}

//go:embed letter
var letterFiles embed.FS

type letterTemplates struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

var templates = sync.OnceValues(func() (letterTemplates, error) { //nolint:gochecknoglobals // read once, never changed
	text, err := texttemplate.ParseFS(letterFiles, "letter/letter.txt.tmpl")
	if err != nil {
		return letterTemplates{}, err
	}
	html, err := htmltemplate.ParseFS(letterFiles, "letter/letter.html.tmpl")
	return letterTemplates{text, html}, err
})

// bodies are a letter as text and as HTML.
func (l letter) bodies() (text, html string, err error) {
	t, err := templates()
	if err != nil {
		return "", "", err
	}
	var a, b bytes.Buffer
	if err := t.text.Execute(&a, l); err != nil {
		return "", "", err
	}
	err = t.html.Execute(&b, l)
	return strings.TrimLeft(a.String(), "\n"), b.String(), err
}

// settled is a delivery that no letter is written for.
type settled struct {
	delivery store.Delivery
	result   store.DeliveryResult
}

// letters works out what is written to whom: one letter for each delivery, or one for
// all that a recipient gets together.
func (s *Sender) letters(ctx context.Context, doc *config.Document, list []store.Delivery) (out []letter, done []settled, err error) {
	key, err := s.linkKey(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		out, done = nil, nil
		w := writer{tx: tx, doc: doc, key: key, bundles: map[string]int{}, people: map[string]store.Address{}}
		if err := w.meet(list); err != nil {
			return err
		}
		for _, d := range list {
			why, state, err := w.write(d)
			if err != nil {
				return err
			}
			if state != "" {
				done = append(done, settled{d, store.DeliveryResult{State: state, Answer: why}})
			}
		}
		out = w.letters
		return nil
	})
	for i := range out {
		out[i].Subject = out[i].Items[0].Title
		if n := len(out[i].Items); n > 1 {
			out[i].Subject = fmt.Sprintf("%d messages: %s", n, oneLine(out[i].Items[0].Title, titleRunes))
		}
	}
	return out, done, err
}

func (s *Sender) linkKey(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		return s.key, nil
	}
	key, err := s.Store.ProcessKey(ctx, LinkKeyName)
	if err == nil {
		s.key = key
	}
	return key, err
}

// writer collects letters.
type writer struct {
	tx      *store.Tx
	doc     *config.Document
	key     []byte
	letters []letter
	bundles map[string]int // recipient -> its letter of several
	people  map[string]store.Address
}

// meet reads how the people are written to.
func (w *writer) meet(list []store.Delivery) error {
	var ids []string
	for _, d := range list {
		if !strings.Contains(d.Recipient, "@") {
			ids = append(ids, d.Recipient)
		}
	}
	found, err := w.tx.Addresses(ids)
	for _, a := range found {
		w.people[a.Identity] = a
	}
	return err
}

// write puts a delivery into a letter, or says what becomes of it instead.
func (w *writer) write(d store.Delivery) (why, state string, err error) {
	l := letter{To: d.Recipient}
	if !strings.Contains(d.Recipient, "@") {
		a, here := w.people[d.Recipient]
		switch {
		case !here:
			return "who was to be told is not here any more", store.DeliveryObsolete, nil
		case a.Email == "":
			return a.Name + " has no e-mail address that the hub knows", store.DeliveryFailed, nil
		}
		l.To, l.Person = a.Email, true
	}
	if !bare(l.To) {
		return "the address is none that e-mail can be sent to", store.DeliveryFailed, nil
	}
	n, err := w.tx.Notice(d.Notice)
	if err != nil {
		return "", "", err
	}
	it, old, err := w.item(n, d)
	if err != nil || old {
		return "it is over by now", store.DeliveryObsolete, err
	}
	if i, started := w.bundles[d.Recipient]; d.Bundle && started {
		w.letters[i].Items = append(w.letters[i].Items, it)
		w.letters[i].deliveries = append(w.letters[i].deliveries, d)
		return "", "", nil
	}
	l.Items, l.deliveries = []item{it}, []store.Delivery{d}
	if d.Bundle {
		w.bundles[d.Recipient] = len(w.letters)
	}
	w.letters = append(w.letters, l)
	return "", "", nil
}

// bare reports whether a text is an address of e-mail and nothing else.
func bare(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && !strings.ContainsFunc(s, isControl)
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// item is a notice as a letter says it; old: what it wants has been done meanwhile.
func (w *writer) item(n store.Notice, d store.Delivery) (it item, old bool, err error) {
	it = item{Message: Words(n)}
	it.Link = w.doc.PublicURL + it.Path
	kind, id, _ := strings.Cut(n.Subject, "/")
	switch {
	case strings.HasPrefix(n.Type, "task."):
		t, err := w.tx.Task(id)
		return it, err == nil && !t.Open() || missing(err), unlessMissing(err)
	case kind != "request" || n.Type == "approval.decided":
		return it, false, nil
	}
	r, err := w.tx.Request(id)
	if err != nil {
		return it, missing(err), unlessMissing(err)
	}
	step := StepOf(r)
	if step == "" || askedAt(r).After(n.At) {
		return it, true, nil
	}
	if _, person := w.people[d.Recipient]; !person {
		return it, false, nil
	}
	l := Link{Request: id, Step: step, Person: d.Recipient, Expires: w.tx.Now.Add(LinkLasts)}
	for verb, to := range map[string]*string{VerbApprove: &it.Approve, VerbDeny: &it.Deny} {
		l.Verb = verb
		token, err := MakeLink(w.key, l)
		if err != nil {
			return it, false, err
		}
		*to = w.doc.PublicURL + "/act?t=" + token
	}
	return it, false, nil
}

func missing(err error) bool { return err != nil && model.CodeOf(err) == model.NotFound }

func unlessMissing(err error) error {
	if missing(err) {
		return nil
	}
	return err
}
