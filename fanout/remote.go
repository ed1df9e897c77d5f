package fanout

import (
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// Remote is a target as somebody sees it who asks through the hub: with the hub's
// credential, at the target's pace, and nothing of what the worker does.
type Remote struct {
	Target  model.Target
	Profile Profile
	Client  *Client
}

// Remote is the target of a name. model.NotFound where there is none,
// model.Unavailable where it is looked after by hand or cannot be worked on.
func (w *Worker) Remote(name string) (Remote, error) {
	w.mu.Lock()
	r := w.runners[name]
	w.mu.Unlock()
	if r == nil {
		snapshot := w.Current()
		if snapshot != nil {
			for _, t := range snapshot.Targets {
				if t.Name == name {
					return Remote{}, model.Fail(model.Unavailable, "target "+name+" cannot be worked on at the moment", nil)
				}
			}
		}
		return Remote{}, model.Fail(model.NotFound, fmt.Sprintf("there is no target %q", name), nil)
	}
	client, ok := r.conn.(*Client)
	if !ok {
		return Remote{}, model.Fail(model.Unavailable, "target "+name+" is looked after by hand: there is no application to ask", nil)
	}
	return Remote{Target: r.target, Profile: r.profile, Client: client}, nil
}

// Protected says which of the target's filters protects an account, if one does.
func (r Remote) Protected(u RemoteUser) (filter string, protected bool) {
	return compileProtect(r.Target.Protect).matchDoc(u.ID, u.Attrs)
}

// Destroys says what switching an account off destroys for good at the application;
// empty: nothing that is known of.
func (r Remote) Destroys(u RemoteUser) string {
	p := r.Profile
	invited := compilePending(p.Pending)
	switch {
	case p.Disable == "delete" && p.Delete == model.DeleteIrreversible:
		return lossAccount
	case p.DisablePendingUser == "deletes" && invited == nil:
		return lossPerhaps
	case p.DisablePendingUser == "deletes" && invited(u):
		return lossInvitation
	}
	return ""
}

// OwnsCredential reports whether the hub's own credential belongs to the account.
func (r Remote) OwnsCredential(u RemoteUser) bool {
	t := r.Target
	for _, owner := range []string{inSlot(t.Auth, model.SlotPresent).Owner, inSlot(t.Auth, model.SlotNext).Owner} {
		if owner != "" && (strings.EqualFold(owner, u.UserName) || owner == u.ID) {
			return true
		}
	}
	return false
}
