package notify

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// received is one letter as a server got it.
type received struct {
	to         string
	head       mail.Header
	text, html string
}

// postOffice is a mail server that answers as told.
type postOffice struct {
	t    *testing.T
	port string
	mu   sync.Mutex
	got  []received
	// refuse says no to a recipient; nil: it takes everybody.
	refuse func(to string) *smtp.SMTPError
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	p := &postOffice{t: t}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{office: p}, nil }))
	s.Domain = "localhost"
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	_, p.port, _ = net.SplitHostPort(l.Addr().String())
	return p
}

func (p *postOffice) letters() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]received(nil), p.got...)
}

type session struct {
	office *postOffice
	to     string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Reset()                               { s.to = "" }
func (s *session) Logout() error                        { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.office.mu.Lock()
	refuse := s.office.refuse
	s.office.mu.Unlock()
	if refuse != nil {
		if err := refuse(to); err != nil {
			return err
		}
	}
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	got := received{to: s.to, head: m.Header}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			s.office.t.Error(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			got.html = string(body)
		} else {
			got.text = string(body)
		}
	}
	s.office.mu.Lock()
	s.office.got = append(s.office.got, got)
	s.office.mu.Unlock()
	return nil
}

// person adds somebody with an address.
func (w *world) person(id, name, email string) {
	w.t.Helper()
	w.db.Exec(w.t, `INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings) VALUES (?,?,?,'active',?,'{}',1,1,'',FALSE,'[]')`,
		id, name, name, `{"userName":"`+name+`","emails":[{"value":"home@example.org","type":"home"},{"value":"`+email+`","type":"work"}]}`)
}

// asked adds a request that waits for people, and what is told of it.
func (w *world) asked(id string, who ...string) model.Request {
	w.t.Helper()
	at := w.clock.Now()
	r := model.Request{ID: id, Identity: "i-jo", Role: "writer", Origin: model.OriginAsked, State: model.RequestPending, Actor: "person jo", Created: at, Asked: who,
		Steps: []model.Step{{Approvers: []string{"manager"}, AskedAt: &at}}}
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		if err := tx.AddRequest(r); err != nil {
			return err
		}
		return tx.Notify(store.Notice{Type: "approval.wanted", Subject: "request/" + id, Identity: "i-jo", Asked: who,
			Data: map[string]any{"role": "writer\r\nBcc: all@example.com", "for": "jo", "reason": "<b>docs</b>"}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	r.Version = 1
	return r
}

const mailConfig = "smtp: {host: 127.0.0.1, port: %s, from: \"Access <hub@example.com>\", tls: none}\n"

var linkPattern = regexp.MustCompile(`https://hub\.example\.com/act\?t=(\S+)`)

func TestApproversAreWritten(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		p := newPostOffice(w.t)
		w.configure(mailConfig+"notify: [{email: [approvers, ops@example.com], events: [approval.wanted]}]\n", p.port)
		w.person("i-jo", "jo", "jo@example.com")
		w.person("i-bo", "bo", "bo@example.com")
		w.person("i-mute", "mute", "")
		r := w.asked("q1", "i-bo", "i-jo", "i-mute", "i-nobody")
		w.tell()
		w.tell()
		byTo := map[string]received{}
		for _, l := range p.letters() {
			byTo[l.to] = l
		}
		if len(p.letters()) != 2 || byTo["ops@example.com"].text == "" {
			w.t.Fatalf("letters to %v; nobody decides about themselves, and who has no address gets none", byTo)
		}
		l := byTo["bo@example.com"]
		if s, err := new(mime.WordDecoder).DecodeHeader(l.head.Get("Subject")); err != nil || !strings.HasPrefix(s, "Please decide: writer Bcc: all@example.com for jo") || l.head.Get("Bcc") != "" {
			w.t.Errorf("subject %q, %v", s, err)
		}
		if !strings.Contains(l.html, "&lt;b&gt;docs") || !strings.Contains(l.text, "<b>docs") || !strings.Contains(l.text, "https://hub.example.com/requests/q1") {
			w.t.Errorf("text\n%s\nhtml\n%s", l.text, l.html)
		}
		w.links(l, r)
		if strings.Contains(byTo["ops@example.com"].text, "/act?") {
			w.t.Error("an address that is nobody's got a link to decide")
		}
		states := map[string]string{}
		for _, d := range w.deliveries(store.DeliveryFilter{}) {
			states[d.Recipient] = d.State
		}
		if states["i-mute"] != store.DeliveryFailed || states["i-nobody"] != store.DeliveryObsolete || states["i-jo"] != "" {
			w.t.Errorf("states %v", states)
		}
	})
}

// links checks that a letter has both links, for whom it was written to.
func (w *world) links(l received, r model.Request) {
	w.t.Helper()
	key, err := w.db.ProcessKey(w.t.Context(), LinkKeyName)
	if err != nil {
		w.t.Fatal(err)
	}
	var verbs []string
	for _, m := range linkPattern.FindAllStringSubmatch(l.text, -1) {
		token, err := url.QueryUnescape(m[1])
		if err != nil {
			w.t.Fatal(err)
		}
		link, err := ParseLink(key, token, w.clock.Now())
		if err != nil || link.Person != "i-bo" || link.Request != r.ID || link.Step != StepOf(r) {
			w.t.Errorf("link %+v, %v", link, err)
		}
		verbs = append(verbs, link.Verb)
	}
	if len(verbs) != 2 || verbs[0] != VerbApprove || verbs[1] != VerbDeny {
		w.t.Errorf("links to %v", verbs)
	}
}

func TestFaultsOfMail(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		p := newPostOffice(w.t)
		p.refuse = func(to string) *smtp.SMTPError {
			switch to {
			case "full@example.com":
				return &smtp.SMTPError{Code: 451, Message: "mailbox is full"}
			case "gone@example.com":
				return &smtp.SMTPError{Code: 550, Message: "no such user"}
			}
			return nil
		}
		w.configure(mailConfig+"notify: [{name: m, email: [full@example.com, gone@example.com, ok@example.com]}]\n", p.port)
		w.notify(quarantined("git"))
		w.tell()
		states := func() map[string]store.Delivery {
			out := map[string]store.Delivery{}
			for _, d := range w.deliveries(store.DeliveryFilter{}) {
				out[d.Recipient] = d
			}
			return out
		}
		got := states()
		if d := got["full@example.com"]; d.State != store.DeliveryPending || d.Status != 451 || !strings.Contains(d.Answer, "mailbox is full") {
			w.t.Errorf("451: %+v", d)
		}
		if d := got["gone@example.com"]; d.State != store.DeliveryFailed || d.Status != 550 || !strings.Contains(d.Answer, "no such user") {
			w.t.Errorf("550: %+v", d)
		}
		if got["ok@example.com"].State != store.DeliveryDone {
			w.t.Errorf("who is there: %+v", got["ok@example.com"])
		}
		p.mu.Lock()
		p.refuse = nil
		p.mu.Unlock()
		w.clock.Add(time.Minute)
		w.tell()
		if got := states(); got["full@example.com"].State != store.DeliveryDone || got["gone@example.com"].Attempts != 1 || len(p.letters()) != 2 {
			w.t.Errorf("later: %+v", got)
		}
		w.configure("smtp: {host: 127.0.0.1, port: 1, from: hub@example.com, tls: none}\nnotify: [{name: m, email: [ok@example.com]}]\n")
		w.db.Exec(w.t, `DELETE FROM notices`)
		w.notify(quarantined("git"))
		w.tell()
		if d := w.only(); d.State != store.DeliveryPending || !strings.Contains(d.Answer, "127.0.0.1 cannot be reached") {
			w.t.Errorf("no server: %+v", d)
		}
		w.configure("smtp: {host: 127.0.0.1, port: %s, from: hub@example.com}\nnotify: [{name: m, email: [ok@example.com]}]\n", p.port)
		w.clock.Add(time.Hour)
		w.tell()
		if d := w.only(); d.State != store.DeliveryPending || d.Attempts != 2 {
			w.t.Errorf("a server without STARTTLS was given a letter: %+v", d)
		}
	})
}

// What is decided by the time a letter is written is not asked any more.
func TestDigestsAndQuietHours(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		p := newPostOffice(w.t)
		w.configure(mailConfig+`notify:
  - {name: daily, email: [asked], digest: daily, at: "18:00", zone: Europe/Berlin, urgent: [leaver.late]}
`, p.port)
		w.person("i-jo", "jo", "jo@example.com")
		w.person("i-bo", "bo", "bo@example.com")
		old := w.asked("q1", "i-bo")
		w.clock.Add(time.Minute)
		w.asked("q2", "i-bo")
		w.asked("q3", "i-bo")
		w.notify(store.Notice{Type: "leaver.late", Subject: "identity/i-jo", Asked: []string{"i-bo"}, Data: map[string]any{"for": "jo", "target": "git"}})
		w.tell()
		if got := p.letters(); len(got) != 1 || !strings.Contains(got[0].head.Get("Subject"), "may still have access at git") {
			w.t.Fatalf("at once: %+v", got)
		}
		old.State = model.RequestDenied
		if err := w.db.Update(w.t.Context(), func(tx *store.Tx) error { _, err := tx.SaveRequest(old); return err }); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Set(time.Date(2027, 3, 1, 16, 59, 0, 0, time.UTC))
		if w.tell(); len(p.letters()) != 1 {
			w.t.Fatal("the digest came too early")
		}
		w.clock.Add(time.Minute) // 18:00 in Berlin
		w.tell()
		got := p.letters()
		if len(got) != 2 || !strings.Contains(got[1].text, "/requests/q2") || !strings.Contains(got[1].text, "/requests/q3") || strings.Contains(got[1].text, "/requests/q1") {
			w.t.Fatalf("the digest: %+v", got)
		}
		if !strings.HasPrefix(got[1].head.Get("Subject"), "2 messages") {
			w.t.Errorf("subject %q", got[1].head.Get("Subject"))
		}
		if n := len(w.deliveries(store.DeliveryFilter{State: store.DeliveryObsolete})); n != 1 {
			w.t.Errorf("%d deliveries obsolete, want that of the request which was denied", n)
		}
	})
}
