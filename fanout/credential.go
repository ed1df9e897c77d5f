package fanout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// heldOwner begins the words of a change that would take away the account to which the
// hub's own credential belongs.
const heldOwner = "the account owns the credential that the hub uses here"

// credentialOwner says in words that the account must not be taken away: the credential
// in use belongs to it and would end with it.
func credentialOwner(t model.Target, r model.AccountRow) (words string, owns bool) {
	auth := inSlot(t.Auth, t.Auth.InUse)
	if auth.Owner == "" {
		return "", false
	}
	names := []string{r.RemoteID, r.Identity}
	for _, a := range []*model.Account{r.Desired, r.Applied, r.Observed} {
		if a != nil {
			names = append(names, a.UserName)
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return n != "" && strings.EqualFold(n, auth.Owner) }) {
		return "", false
	}
	return heldOwner + "; rotate it first (target rotate " + t.Name + ")", true
}

// credentialSlots are the slots that a configuration fills, the first one first, with
// what their rows are compared by: how the secret is named, never what it is.
func credentialSlots(a model.Auth) (out []store.Credential) {
	if ref, is := referenceOf(a); is {
		out = append(out, store.Credential{Slot: model.SlotPresent, Reference: ref})
	}
	if a.Next != nil {
		ref, _ := referenceOf(inSlot(a, model.SlotNext))
		out = append(out, store.Credential{Slot: model.SlotNext, Reference: ref})
	}
	return out
}

func referenceOf(a model.Auth) (text string, is bool) {
	switch {
	case !a.Bearer.IsZero():
		text = "bearer " + a.Bearer.Reference()
	case a.Basic != nil:
		text = "basic " + a.Basic.User + " " + a.Basic.Password.Reference()
	case a.OAuth2 != nil:
		text = "oauth2 " + a.OAuth2.ClientID + " " + a.OAuth2.ClientSecret.Reference()
	case a.Header != nil:
		text = "header " + a.Header.Name + " " + a.Header.Value.Reference()
	case a.MTLS != nil:
		text = "mtls " + a.MTLS.Cert
	default:
		return "", false
	}
	if a.Expires != nil {
		text += " until " + a.Expires.UTC().Format(time.RFC3339)
	}
	return text, true
}

// known brings what is stored of a target's credentials in line with the configuration:
// a slot that names another secret starts anew, and the next one that was moved into
// the first place is the one it was.
func known(stored, slots []store.Credential, now time.Time) []store.Credential {
	out := make([]store.Credential, len(slots))
	for i, s := range slots {
		out[i] = s
		out[i].FirstSeen = now
		for _, have := range stored {
			if have.Reference == s.Reference && (out[i].FirstSeen.Equal(now) || have.Slot == s.Slot) {
				have.Slot = s.Slot
				out[i] = have
			}
		}
	}
	if using := slices.IndexFunc(out, func(c store.Credential) bool { return c.InUse }); len(out) > 0 {
		for i := range out {
			out[i].InUse = i == max(using, 0)
		}
	}
	return out
}

// expiryOf is when a credential ends: as the configuration says, or as long after it was
// first seen as credentials of the application last, or as the client certificate says;
// nil: nobody knows.
func expiryOf(a model.Auth, p Profile, c store.Credential) *time.Time {
	if e := inSlot(a, c.Slot).Expires; e != nil {
		return e
	}
	if p.Credential.LifeDays > 0 && !c.FirstSeen.IsZero() {
		e := c.FirstSeen.AddDate(0, 0, p.Credential.LifeDays)
		return &e
	}
	if ref, _ := referenceOf(a); a.MTLS != nil && strings.HasPrefix(ref, "mtls ") { // it alone
		return certificateEnd(*a.MTLS)
	}
	return nil
}

// warnDays are the days before its end at which a credential is warned of, once each.
var warnDays = [...]int{1, 3, 7, 14, 30} // read only

// warning is the warning that is due and was not given yet: at most how many days are
// left; 0: none. warned is the last one given.
func warning(expires *time.Time, warned int, now time.Time) int {
	if expires == nil {
		return 0
	}
	for _, days := range warnDays {
		if expires.Sub(now) <= time.Duration(days)*24*time.Hour {
			if warned != 0 && warned <= days {
				return 0
			}
			return days
		}
	}
	return 0
}

// credentialFacts are what the choice between two slots depends on.
type credentialFacts struct {
	Slots       []store.Credential
	Expires     map[string]*time.Time // by slot
	Refused     string                // why the target refuses the one in use; empty: it does not
	Wanted      bool                  // somebody asked for the other one
	OwnerLeaves bool                  // the account that owns the one in use waits to be taken away
}

// credentialStep is what to do about a target's credentials.
type credentialStep struct {
	Test   string // the slot to try with a harmless call; empty: nothing to do
	Switch string // why it is taken into use if the call goes well; empty: it is not
}

const (
	rotateBefore = 24 * time.Hour // of its end a credential makes place for the next one
	testAgain    = time.Minute    // after a slot was refused, doubling up to
	testSeldom   = time.Hour
	testDaily    = 24 * time.Hour // while nothing asks for the slot
)

// nextStep chooses: the next credential is used as soon as it works and the present one
// is refused, about to end, asked to go or owned by somebody who leaves. A slot that
// was refused is tried again, seldom, and never replaces one that works.
func nextStep(f credentialFacts, now time.Time) credentialStep {
	using := slices.IndexFunc(f.Slots, func(c store.Credential) bool { return c.InUse })
	if using < 0 || len(f.Slots) < 2 {
		return credentialStep{}
	}
	other := f.Slots[1-using]
	step := credentialStep{Test: other.Slot, Switch: f.why(f.Slots[using], other, now)}
	since := testDaily
	if step.Switch != "" {
		since = min(testAgain<<min(other.Tries, 10), testSeldom)
		if other.Refused == "" {
			since = 0
		}
	}
	if f.Wanted {
		since = min(since, time.Second)
	}
	if other.TestedAt != nil && now.Before(other.TestedAt.Add(since)) {
		return credentialStep{}
	}
	return step
}

// why says in words why the other slot should take over; empty: it should not.
func (f credentialFacts) why(using, other store.Credential, now time.Time) string {
	if e := f.Expires[other.Slot]; e != nil && !now.Before(*e) {
		return ""
	}
	switch e := f.Expires[using.Slot]; {
	case f.Refused != "":
		return "the one in use is refused"
	case f.Wanted && other.Slot == model.SlotNext:
		return "asked for"
	case other.Slot != model.SlotNext:
		return "" // back only where the newer one is refused
	case f.OwnerLeaves:
		return "the owner of the one in use leaves"
	case e != nil && !now.Before(e.Add(-rotateBefore)):
		return fmt.Sprintf("the one in use ends on %s", e.UTC().Format(time.DateOnly))
	}
	return ""
}
