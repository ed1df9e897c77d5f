package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// LinkKeyName is the name in the store of the key that signs links.
const LinkKeyName = "act links"

// LinkLasts is how long a link in a message can be followed.
const LinkLasts = 7 * 24 * time.Hour

// The verbs of links.
const (
	VerbApprove = "approve"
	VerbDeny    = "deny"
)

// Link is what a link in a message is for. It decides nothing: it leads whoever it was
// sent to, signed in, to one question with one answer prepared.
type Link struct {
	Request string    `json:"r"`
	Step    string    `json:"s"` // of the request, as StepOf gives it: another question is another step
	Person  string    `json:"p"` // identity that it was sent to
	Verb    string    `json:"v"` // VerbApprove or VerbDeny
	Expires time.Time `json:"e"`
}

// StepOf names the question that a request waits with; empty: none. It stays the same
// when somebody is reminded, or others are asked as well.
func StepOf(r model.Request) string {
	q, kind := question(r)
	if q == nil {
		return ""
	}
	return kind + "." + strconv.FormatInt(q.AskedAt.UnixMicro(), 36)
}

// question is what a request waits for an answer to, with a name; nil: nothing.
func question(r model.Request) (q *model.Step, kind string) {
	switch {
	case r.Review != nil:
		q, kind = &r.Review.Step, "review"
	case r.State == model.RequestPending && r.Step < len(r.Steps):
		q, kind = &r.Steps[r.Step], strconv.Itoa(r.Step)
	}
	if q == nil || q.AskedAt == nil {
		return nil, ""
	}
	return q, kind
}

// askedAt is when the question was put that a request waits with.
func askedAt(r model.Request) time.Time {
	if q, _ := question(r); q != nil {
		return *q.AskedAt
	}
	return time.Time{}
}

// MakeLink gives the token of a link: what it is for, signed.
func MakeLink(key []byte, l Link) (string, error) {
	l.Expires = l.Expires.UTC().Truncate(time.Second)
	body, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	return encode(body) + "." + encode(linkSum(key, body)), nil
}

// ParseLink reads a token. Invalid where it is none of ours, or not what was signed;
// Refused where its time is over.
func ParseLink(key []byte, token string, now time.Time) (Link, error) {
	const tokenBytes = 1024
	wrong := model.Fail(model.Invalid, "this link is not one that the hub has sent, or it was cut off on the way: open the request itself", nil)
	head, tail, ok := strings.Cut(token, ".")
	body, err1 := base64.RawURLEncoding.Strict().DecodeString(head)
	sum, err2 := base64.RawURLEncoding.Strict().DecodeString(tail)
	if !ok || len(token) > tokenBytes || strings.ContainsAny(token, "\r\n") || err1 != nil || err2 != nil || !hmac.Equal(sum, linkSum(key, body)) {
		return Link{}, wrong
	}
	var l Link
	if err := json.Unmarshal(body, &l); err != nil || l.Verb != VerbApprove && l.Verb != VerbDeny {
		return Link{}, wrong
	}
	if !now.Before(l.Expires) {
		return Link{}, model.Fail(model.Refused, "the time of this link is over since "+l.Expires.Format(time.RFC3339)+": open the request itself", nil)
	}
	return l, nil
}

// linkSum is bound to what links are for, so that nothing else that the key may sign is one.
func linkSum(key, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("scimhub act link\n"))
	m.Write(body)
	return m.Sum(nil)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
