package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

func TestWhenSomebodyIsTold(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		tm, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return tm.UTC()
	}
	night := &config.Quiet{From: 20 * time.Hour, To: 7 * time.Hour}
	lunch := &config.Quiet{From: 12 * time.Hour, To: 13 * time.Hour, Zone: time.UTC}
	mail := func(digest string, q *config.Quiet) config.Receiver {
		return config.Receiver{Email: []string{"asked"}, Digest: digest, At: 8 * time.Hour, Quiet: q, Urgent: []string{"leaver.late"}}
	}
	for _, tt := range []struct {
		c        config.Receiver
		event    string
		at, want string
		bundle   bool
	}{
		{mail("none", nil), "plan.held", "2027-03-01 23:00", "2027-03-01 23:00", false},
		{mail("none", night), "plan.held", "2027-03-01 18:59", "2027-03-01 18:59", false},
		{mail("none", night), "plan.held", "2027-03-01 19:00", "2027-03-02 06:00", true}, // 20:00 there
		{mail("none", night), "plan.held", "2027-03-02 05:59", "2027-03-02 06:00", true},
		{mail("none", night), "plan.held", "2027-03-02 06:00", "2027-03-02 06:00", false},
		{mail("none", night), "leaver.late", "2027-03-01 23:00", "2027-03-01 23:00", false},
		{mail("none", night), "plan.held", "2027-03-27 22:00", "2027-03-28 05:00", true}, // the night summer time begins
		{mail("none", lunch), "plan.held", "2027-03-01 12:30", "2027-03-01 13:00", true},
		{mail("hourly", nil), "plan.held", "2027-03-01 12:00", "2027-03-01 13:00", true},
		{mail("hourly", lunch), "plan.held", "2027-03-01 11:30", "2027-03-01 13:00", true},
		{mail("daily", nil), "plan.held", "2027-03-01 06:59", "2027-03-01 07:00", true},
		{mail("daily", nil), "plan.held", "2027-03-01 07:00", "2027-03-02 07:00", true},
		{mail("daily", night), "leaver.late", "2027-03-01 22:00", "2027-03-01 22:00", false},
		{config.Receiver{Webhook: model.NewSecret("https://x"), Digest: "daily", Quiet: night}, "plan.held", "2027-03-01 23:00", "2027-03-01 23:00", false},
	} {
		got, bundle := when(tt.c, berlin, tt.event, at(tt.at))
		if !got.Equal(at(tt.want)) || bundle != tt.bundle {
			t.Errorf("%s %s quiet %v at %s: %s %v, want %s %v", tt.event, tt.c.Digest, tt.c.Quiet != nil, tt.at, got, bundle, tt.want, tt.bundle)
		}
	}
}

func TestWhoWantsWhat(t *testing.T) {
	t.Parallel()
	one := config.Receiver{Email: []string{"a@b.c"}, Digest: "none"}
	daily := config.Receiver{Email: []string{"a@b.c"}, Digest: "daily"}
	if wants(one, "drift.found") || !wants(daily, "drift.found") || !wants(config.Receiver{Webhook: model.NewSecret("https://x")}, "drift.found") || !wants(one, "plan.held") {
		t.Error("drift is told in digests and to programs alone")
	}
	if wants(config.Receiver{Webhook: model.NewSecret("https://x"), Events: []string{"plan.held"}}, "leaver.late") {
		t.Error("an event that was not asked for is told")
	}
	for word, event := range map[string]string{"approvers": "approval.wanted", "reviewers": "review.started", "owners": "task.created", "asked": "leaver.late"} {
		if !asksOf(word, event) || word != "asked" && asksOf(word, "leaver.late") || asksOf("ops@example.com", event) {
			t.Errorf("%s of %s", word, event)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	key, now := []byte("0123456789abcdef0123456789abcdef"), noon()
	l := Link{Request: "q1", Step: "0.abc", Person: "i-bo", Verb: VerbApprove, Expires: now.Add(LinkLasts)}
	token, err := MakeLink(key, l)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseLink(key, token, now); err != nil || got != l {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseLink(key, token, l.Expires); model.CodeOf(err) != model.Refused {
		t.Errorf("after its time: %v", err)
	}
	if _, err := ParseLink([]byte("another"), token, now); model.CodeOf(err) != model.Invalid {
		t.Errorf("another key: %v", err)
	}
	deny := l
	deny.Verb = VerbDeny
	other, err := MakeLink(key, deny)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(other, ".")
	_, tail, _ := strings.Cut(token, ".")
	for _, bad := range []string{"", ".", head + "." + tail, token + "A", token[:len(token)-1], "a" + token, strings.Repeat("x", 5000), token + "=", token + "\n"} {
		if _, err := ParseLink(key, bad, now); model.CodeOf(err) != model.Invalid {
			t.Errorf("%.40q is a link: %v", bad, err)
		}
	}
	for i := range len(token) {
		changed := []byte(token)
		changed[i] ^= 1
		if _, err := ParseLink(key, string(changed), now); err == nil {
			t.Errorf("with byte %d changed it is still a link", i)
		}
	}
}

func TestTheQuestionOfARequest(t *testing.T) {
	t.Parallel()
	at, later := noon(), noon().Add(time.Hour)
	r := model.Request{State: model.RequestPending, Steps: []model.Step{{AskedAt: &at}, {}}}
	first := StepOf(r)
	reminded := r.Clone()
	reminded.Steps[0].Reminded, reminded.Version = &later, 9
	if first == "" || StepOf(reminded) != first {
		t.Errorf("a reminder makes another question: %q, %q", first, StepOf(reminded))
	}
	next := r.Clone()
	next.Step, next.Steps[1].AskedAt = 1, &at
	again := r.Clone()
	again.Steps[0].AskedAt = &later
	done := r.Clone()
	done.State = model.RequestApproved
	if StepOf(next) == first || StepOf(again) == first || StepOf(done) != "" {
		t.Error("another step, a question put anew and none at all are the same question")
	}
}

// Every event is said in words of its own, whatever its data are.
func TestEveryEventHasWords(t *testing.T) {
	t.Parallel()
	hostile := map[string]any{"for": "a\r\nBcc: x\u202egnp", "target": strings.Repeat("é", 1000), "role": 7, "what": nil, "name": []int{1}, "due": "2027-03-01T12:00:00Z"}
	for _, event := range append(config.EventNames(), testType) {
		for _, data := range []any{nil, hostile, "no object", []int{1}} {
			m := Words(store.Notice{Type: event, Subject: "target/a b/../c", Data: data})
			if m.Title == event || m.Title == "" || len([]rune(m.Title)) > titleRunes || strings.ContainsAny(m.Title, "\r\n\u202e") {
				t.Errorf("%s with %v: %q", event, data, m.Title)
			}
			if !strings.HasPrefix(m.Path, "/") || strings.Contains(m.Path, "..") && !strings.Contains(m.Path, "%2F") {
				t.Errorf("%s leads to %q", event, m.Path)
			}
		}
	}
	for _, known := range Known() {
		if !slices.Contains(config.EventNames(), known) && known != testType {
			t.Errorf("%s cannot be asked for", known)
		}
	}
}
