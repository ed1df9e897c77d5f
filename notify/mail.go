package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/telemetry"
)

// How long one command of a server may take, and a chunk of letters altogether.
const (
	smtpTime  = 15 * time.Second
	chunkTime = 2 * time.Minute
)

// mail sends some deliveries as letters over one connection.
func (s *Sender) mail(ctx context.Context, doc *config.Document, c config.Receiver, list []store.Delivery) error {
	letters, done, err := s.letters(ctx, doc, list)
	if err != nil {
		return err
	}
	if err := s.settled(ctx, c, done); err != nil || len(letters) == 0 {
		return err
	}
	short, cancel := context.WithTimeout(ctx, chunkTime)
	defer cancel()
	client, failed := s.dial(short, doc)
	if failed == nil {
		defer func() { _ = client.Close() }() // what was accepted is accepted
	}
	for _, l := range letters {
		o := outcome{}
		if failed != nil {
			o.words = failed.Error()
		} else {
			_, span := s.Tracing.Root(ctx, "email", telemetry.Client, telemetry.Text(telemetry.AttrReceiver, c.Name), telemetry.Number(telemetry.AttrBatch, len(l.deliveries)))
			o = send(client, doc, l, s.Store.Now())
			o.end(span)
		}
		if !o.ok && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.settle(context.WithoutCancel(ctx), c, o, l.deliveries...); err != nil {
			return err
		}
	}
	return nil
}

// settled stores what becomes of deliveries that no letter was written for.
func (s *Sender) settled(ctx context.Context, c config.Receiver, done []settled) error {
	if len(done) == 0 {
		return nil
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		for _, d := range done {
			if err := tx.SettleDelivery(d.delivery, d.result); err != nil {
				return err
			}
		}
		return nil
	})
	for _, d := range done {
		if err == nil && d.result.State == store.DeliveryFailed {
			s.Metrics.told(c.Name, d.result.State)
			s.Log.WarnContext(ctx, "somebody cannot be written to", "receiver", c.Name, "identity", d.delivery.Recipient, "event", d.delivery.Type, "error", d.result.Answer)
		}
	}
	return err
}

// dial opens a connection to the configured server. The error is for people.
func (s *Sender) dial(ctx context.Context, doc *config.Document) (*mail.Client, error) {
	if doc.SMTP == nil {
		return nil, model.Fail(model.Invalid, "smtp is missing in the configuration: no server is named that takes e-mails", nil)
	}
	server := *doc.SMTP
	trust := &tls.Config{ServerName: server.Host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
	options := []mail.Option{
		mail.WithPort(server.Port), mail.WithTimeout(smtpTime), mail.WithTLSConfig(trust), mail.WithoutNoop(),
		mail.WithDialContextFunc(func(dctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(dctx, network, address)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() }) // whatever it waits for then
			if server.TLS != "implicit" {
				return conn, nil
			}
			secured := tls.Client(conn, trust)
			return secured, secured.HandshakeContext(dctx)
		}),
	}
	switch server.TLS {
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case "implicit":
		options = append(options, mail.WithSSL())
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if server.User != "" {
		password, err := server.Password.Reveal()
		if err != nil {
			return nil, err
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(server.User), mail.WithPassword(password))
	}
	client, err := mail.NewClient(server.Host, options...)
	if err == nil {
		err = client.DialWithContext(ctx)
	}
	if err != nil {
		return nil, errors.New("the mail server " + server.Host + " cannot be reached: " + shown(err))
	}
	return client, nil
}

// send hands one letter over. What a server refuses for good is not tried again.
func send(client *mail.Client, doc *config.Document, l letter, now time.Time) outcome {
	m, err := message(doc, l, now)
	if err != nil {
		return outcome{final: true, words: shown(err)}
	}
	err = client.Send(m)
	if err == nil || m.IsDelivered() {
		return outcome{ok: true, status: 250, words: oneLine(m.ServerResponse(), answerBytes)}
	}
	o := outcome{words: shown(err)}
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		o.status = e.ErrorCode()
		o.final = !e.IsTemp() && o.status >= 500
	}
	return o
}

// message is a letter as mail. Its id is that of its first delivery, so that one that is
// sent again is known as the same.
func message(doc *config.Document, l letter, now time.Time) (*mail.Msg, error) {
	text, html, err := l.bodies()
	if err != nil {
		return nil, err
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(doc.SMTP.From); err != nil {
		return nil, err
	}
	if err := m.To(l.To); err != nil {
		return nil, err
	}
	from := m.GetFrom()[0].Address
	_, domain, _ := strings.Cut(from, "@")
	m.Subject(oneLine(l.Subject, titleRunes))
	m.SetMessageIDWithValue(l.deliveries[0].ID + "@" + domain)
	m.SetDateWithValue(now)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	m.SetBodyString(mail.TypeTextPlain, text)
	m.AddAlternativeString(mail.TypeTextHTML, html)
	return m, nil
}
