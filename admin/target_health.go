package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TargetHealth is what operators see of a target's pace, standing and credentials.
type TargetHealth struct {
	Quarantine  *QuarantineView         `json:"quarantine,omitempty"`
	Backlog     int                     `json:"backlog"` // accounts with something to do now
	Progress    *fanout.ProgressView    `json:"progress,omitempty"`
	Rate        []fanout.RateView       `json:"rate,omitempty"` // limits on requests; absent: none are known
	Concurrency Concurrency             `json:"concurrency"`
	Credentials []fanout.CredentialView `json:"credentials,omitempty"`
	Warnings    []string                `json:"warnings,omitempty"` // what a person should see to, in words
}

// QuarantineView says why a target is left alone but for leavers and probes.
type QuarantineView struct {
	Since     time.Time  `json:"since"`
	Reason    string     `json:"reason"`
	NextProbe *time.Time `json:"next_probe,omitempty"`
	Probes    int        `json:"probes"` // in vain
}

// Concurrency is how many requests go at once: at most, and when work at the target last
// ended or changed.
type Concurrency struct {
	Most int `json:"most"`
	Now  int `json:"now"`
}

// targetHealth reads what is known of a target beside its accounts.
func (a *API) targetHealth(ctx context.Context, t model.Target, st store.TargetState) (h TargetHealth, err error) {
	if st.QuarantinedAt != nil {
		h.Quarantine = &QuarantineView{*st.QuarantinedAt, st.Reason, st.RetryAt, st.Probes}
	}
	if h.Backlog, err = a.Hub.Store.DueByNow(ctx, t.Name); err != nil {
		return h, err
	}
	progress, err := a.Hub.Store.Progress(ctx, t.Name)
	if err != nil {
		return h, err
	}
	h.Progress = fanout.ShowProgress(progress, a.now())
	profile, err := fanout.ProfileOf(t)
	if err != nil {
		return h, err
	}
	h.Concurrency = Concurrency{profile.Concurrency, profile.Concurrency}
	if st.Slots > 0 {
		h.Concurrency.Now = min(st.Slots, profile.Concurrency)
	}
	if h.Rate, err = fanout.ShowRates(ctx, a.Hub.Store, t, a.now()); err != nil {
		return h, err
	}
	if _, h.Credentials, err = fanout.ShowCredentials(ctx, a.Hub.Store, t); err != nil {
		return h, err
	}
	h.Warnings = credentialWarnings(h.Credentials, profile.Credential.Owned && t.Manual == nil, a.now())
	return h, nil
}

// credentialWarnings says what a person should do about credentials, the most urgent
// first.
func credentialWarnings(list []fanout.CredentialView, owned bool, now time.Time) (out []string) {
	for _, c := range list {
		if c.InUse && c.Expires != nil {
			switch left := c.Expires.Sub(now); {
			case left <= 0:
				out = append(out, "the credential in use has expired on "+c.Expires.UTC().Format(time.DateOnly))
			case left <= 30*24*time.Hour:
				out = append(out, fmt.Sprintf("the credential in use expires in %d days, on %s", int(left.Hours()/24), c.Expires.UTC().Format(time.DateOnly)))
			}
		}
		if !c.InUse && c.Refused != "" && c.Slot == model.SlotNext {
			out = append(out, "the next credential is refused: "+c.Refused)
		}
		if c.InUse && c.Owner == "" && owned {
			out = append(out, "credentials of this application end with the account of whoever made them: say whose it is (auth.owner), so that this account is not taken away")
		}
	}
	return out
}

// rotateTarget asks for the next credential to be taken into use as soon as it works.
func (a *API) rotateTarget(r *http.Request, by Caller) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	if t.Auth.Next == nil {
		return nil, model.Fail(model.Invalid, "target "+t.Name+" has no next credential: state it as auth.next in the configuration", nil)
	}
	_, slots, err := fanout.ShowCredentials(r.Context(), a.Hub.Store, t)
	if err != nil {
		return nil, err
	}
	for _, c := range slots {
		if c.InUse && c.Slot == model.SlotNext {
			return nil, model.Fail(model.Conflict, "target "+t.Name+" uses its next credential already: make it the first one in the configuration", nil)
		}
	}
	return a.act(r, by, "rotate", func(ctx context.Context, t model.Target) error {
		return a.Hub.Store.UpdateTargetState(ctx, t.Name, func(st *store.TargetState) { st.RotateWanted = true })
	})
}
