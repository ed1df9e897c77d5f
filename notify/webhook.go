package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/outbound"
	"github.com/scimhub/scimhub/telemetry"
)

// webhookTime is how long a receiver may take to answer.
const webhookTime = 15 * time.Second

// answerBytes is how much of an answer is read.
const answerBytes = 512

// payload is the body of a webhook: the same for every attempt.
func payload(n store.Notice, publicURL string) ([]byte, error) {
	m := Words(n)
	data := factsOf(n)
	data["subject"], data["text"], data["link"] = n.Subject, m.Title, publicURL+m.Path
	if n.Identity != "" {
		data["identity"] = n.Identity
	}
	return json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      facts     `json:"data"`
	}{n.Type, n.At.UTC(), data})
}

// Sign is the signature of a webhook (Standard Webhooks, v1). The secret is whsec_ and
// base64, or any text.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	key := []byte(secret)
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return "", model.Fail(model.Invalid, "the secret of the webhook begins with whsec_ and goes on with what is no base64", nil)
		}
	}
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%s.%d.", id, at.Unix())
	m.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)), nil
}

// outcome is how one attempt went.
type outcome struct {
	ok, gone bool
	final    bool // it will not go better another time
	status   int
	words    string
	after    time.Duration // the receiver asked to wait so long; 0: it did not
}

// end says in a span how an attempt went, without the receiver's words.
func (o outcome) end(span telemetry.Span) {
	if o.status != 0 {
		span.Set(telemetry.Number(telemetry.AttrStatus, o.status))
	}
	if o.ok {
		span.End("")
		return
	}
	span.End("not delivered")
}

// post sends one notice to a webhook.
func (s *Sender) post(ctx context.Context, doc *config.Document, c config.Receiver, n store.Notice) (told outcome) {
	ctx, span := s.Tracing.Root(ctx, "webhook", telemetry.Client, telemetry.Text(telemetry.AttrReceiver, c.Name), telemetry.Text(telemetry.AttrEvent, n.Type))
	defer func() { told.end(span) }()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.patience, webhookTime))
	defer cancel()
	req, err := s.request(ctx, doc, c, n)
	if err != nil {
		return outcome{words: shown(err)}
	}
	client := &http.Client{Transport: s.transport(doc.Outbound.AllowPrivate), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return outcome{words: shown(err)}
	}
	defer res.Body.Close()
	hide := unshown(req)
	limit := answerBytes
	if len(hide) > 0 {
		limit += len(hide[0])
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)))
	o := outcome{status: res.StatusCode, words: answered(string(text), hide, limit), ok: res.StatusCode/100 == 2, gone: res.StatusCode == http.StatusGone}
	switch {
	case o.ok:
		return o // it took it, whatever became of its answer
	case o.gone:
		o.final = true
	case res.StatusCode/100 == 3:
		o.words = "it answered with a redirect, which is not followed: put the address that it names into the configuration"
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable:
		o.after = retryAfter(res.Header.Get("Retry-After"), s.Store.Now())
	}
	if err != nil && o.words == "" {
		o.words = shown(err)
	}
	return o
}

func (s *Sender) request(ctx context.Context, doc *config.Document, c config.Receiver, n store.Notice) (*http.Request, error) {
	address, err := c.Webhook.Reveal()
	if err != nil {
		return nil, err
	}
	body, err := payload(n, doc.PublicURL)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, model.Fail(model.Invalid, "the address of the webhook is no URL", nil) // the cause would repeat it
	}
	id, now := "msg_"+n.ID, s.Store.Now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "scimhub/"+s.Version)
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	if c.Secret.IsZero() {
		return req, nil
	}
	secret, err := c.Secret.Reveal()
	if err != nil {
		return nil, err
	}
	signature, err := Sign(secret, id, now, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Webhook-Signature", signature)
	return req, nil
}

// transport leads where webhooks may.
func (s *Sender) transport(allowPrivate bool) *http.Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transports == nil {
		s.transports = map[bool]*http.Transport{}
	}
	t := s.transports[allowPrivate]
	if t == nil {
		t = outbound.Transport(allowPrivate)
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots}
		s.transports[allowPrivate] = t
	}
	return t
}

// shown is an error as it may stand on a page: without the address, which may hold a
// secret.
func shown(err error) string {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return e.Message
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it did not answer in time"
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return oneLine(e.Err.Error(), answerBytes)
	}
	return oneLine(err.Error(), answerBytes)
}

// longestWait bounds what a receiver may ask for.
const longestWait = 24 * time.Hour

// retryAfter reads the header: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		d = time.Duration(min(n, int(longestWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil && at.After(now) {
		d = at.Sub(now)
	}
	return min(d, longestWait)
}
