package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// Whereto is where a receiver is, as it may be shown: an address of a webhook may hold a
// secret, so of that only the host.
func Whereto(c config.Receiver) string {
	if c.Webhook.IsZero() {
		return strings.Join(c.Email, ", ")
	}
	u, err := url.Parse(c.Address())
	if err != nil || u.Host == "" {
		return c.Name
	}
	return u.Host
}

// Fingerprint tells a receiver from one of the same name that is elsewhere.
func Fingerprint(c config.Receiver) string {
	sum := sha256.Sum256([]byte(c.Address() + "\n" + c.Secret.Reference() + "\n" + strings.Join(c.Email, "\n")))
	return hex.EncodeToString(sum[:8])
}

// digestOnly are events that are too many to be told one by one to people.
func digestOnly(event string) bool { return event == "drift.found" }

// wants reports whether a receiver is told of an event.
func wants(c config.Receiver, event string) bool {
	if len(c.Events) > 0 && !slices.Contains(c.Events, event) {
		return false
	}
	return !c.Webhook.IsZero() || !digestOnly(event) || c.Digest != config.DigestNone
}

// asksOf reports whether one of the words for those who are asked means those whom an
// event of this type asks.
func asksOf(word, event string) bool {
	switch word {
	case config.ToAsked:
		return true
	case config.ToApprovers:
		return strings.HasPrefix(event, "approval.")
	case config.ToReviewers:
		return strings.HasPrefix(event, "review.")
	case config.ToOwners:
		return strings.HasPrefix(event, "task.")
	}
	return false
}

// peopleLimit is how many people one notice is told to by one receiver.
const peopleLimit = 500

// expand is who is told of a notice, and from when on.
func expand(tx *store.Tx, doc *config.Document, n store.Notice) (out []store.NewDelivery, err error) {
	for _, c := range doc.Notify {
		if !wants(c, n.Type) || n.Type == testType {
			continue
		}
		at, bundle := when(c, doc.Identity.Zone, n.Type, n.At)
		if !c.Webhook.IsZero() {
			out = append(out, store.NewDelivery{Notice: n.ID, Receiver: c.Name, At: at})
			continue
		}
		people, err := recipients(tx, c, n)
		if err != nil {
			return nil, err
		}
		for _, who := range people {
			out = append(out, store.NewDelivery{Notice: n.ID, Receiver: c.Name, Recipient: who, Bundle: bundle, At: at})
		}
	}
	return out, nil
}

// testType is the type of notices that test a receiver; whoever asks for one says to whom.
const testType = "notify.test"

// recipients are identities and addresses that a receiver of e-mails tells of a notice.
func recipients(tx *store.Tx, c config.Receiver, n store.Notice) ([]string, error) {
	var keys, out []string
	for _, to := range c.Email {
		switch {
		case asksOf(to, n.Type):
			asked, err := whoAnswers(tx, n)
			if err != nil {
				return nil, err
			}
			keys = append(keys, asked...)
		case strings.HasPrefix(to, "role:"), strings.HasPrefix(to, "user:"):
			keys = append(keys, to)
		default:
			if _, err := mail.ParseAddress(to); err == nil {
				out = append(out, to)
			}
		}
	}
	for _, key := range keys {
		people, err := behind(tx, key)
		if err != nil {
			return nil, err
		}
		out = append(out, people...)
	}
	if questions(n.Type) { // nobody is asked about themselves
		out = slices.DeleteFunc(out, func(who string) bool { return who == n.Identity })
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), peopleLimit)], nil
}

// questions reports whether a type of notice asks approvers something.
func questions(event string) bool {
	return strings.HasPrefix(event, "approval.") && event != "approval.decided"
}

// whoAnswers are those whom a notice asks, and who answers in their place now.
func whoAnswers(tx *store.Tx, n store.Notice) ([]string, error) {
	if !questions(n.Type) {
		return n.Asked, nil
	}
	deputies, err := tx.DeputiesOf(n.Asked)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(n.Asked)
	for _, person := range n.Asked {
		out = append(out, deputies[person]...)
	}
	return out, nil
}

// behind are the people that a key means: role:NAME, user:NAME or an identity.
func behind(tx *store.Tx, key string) (out []string, err error) {
	if role, is := strings.CutPrefix(key, "role:"); is {
		holders, err := tx.Holders(role)
		if err != nil {
			return nil, fmt.Errorf("holders of %s: %w", role, err)
		}
		return slices.Collect(maps.Keys(holders)), nil
	}
	name, is := strings.CutPrefix(key, "user:")
	if !is {
		return []string{key}, nil
	}
	row, err := tx.FindIdentity(name)
	switch {
	case err == nil:
		return []string{row.ID}, nil
	case model.CodeOf(err) == model.Internal:
		return nil, err
	}
	return nil, nil // nobody has this name now
}

// when says from when on a receiver may be told of an event that happened at a moment,
// and whether together with others. It is pure.
func when(c config.Receiver, zone *time.Location, event string, at time.Time) (time.Time, bool) {
	if !c.Webhook.IsZero() || slices.Contains(c.Urgent, event) || event == testType {
		return at, false
	}
	if c.Zone != nil {
		zone = c.Zone
	}
	if zone == nil {
		zone = time.UTC
	}
	moment := at
	switch c.Digest {
	case config.DigestHourly:
		moment = at.Truncate(time.Hour).Add(time.Hour)
	case config.DigestDaily:
		moment = nextTime(at, c.At, zone)
	}
	if c.Quiet != nil {
		if c.Quiet.Zone != nil {
			zone = c.Quiet.Zone
		}
		moment = afterQuiet(moment, *c.Quiet, zone)
	}
	return moment, c.Digest == config.DigestHourly || c.Digest == config.DigestDaily || moment.After(at)
}

// nextTime is the next moment after another at which a clock in a zone shows a time of day.
func nextTime(at time.Time, day time.Duration, zone *time.Location) time.Time {
	local := at.In(zone)
	for n := range 3 {
		t := time.Date(local.Year(), local.Month(), local.Day()+n, int(day/time.Hour), int(day%time.Hour/time.Minute), 0, 0, zone)
		if t.After(at) {
			return t.UTC()
		}
	}
	return at.Add(24 * time.Hour)
}

// afterQuiet is the moment itself, or the end of the quiet hours that it lies in.
func afterQuiet(at time.Time, q config.Quiet, zone *time.Location) time.Time {
	local := at.In(zone)
	clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	quiet := clock >= q.From && clock < q.To
	if q.From > q.To { // around midnight
		quiet = clock >= q.From || clock < q.To
	}
	if !quiet {
		return at
	}
	return nextTime(at, q.To, zone)
}
