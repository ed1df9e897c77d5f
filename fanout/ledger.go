package fanout

import (
	"sync"

	"github.com/scimhub/scimhub/model/scim"
)

// ledger says which accounts are being made or taken over by whom, from before the
// target hears of it until the store knows. Without it two people of one user name,
// worked on at once, would both take the account that one of them has just got.
type ledger struct {
	mu sync.Mutex
	by map[string]string // key -> identity
	of map[string][]string
}

func nameKey(userName string) string { return "name:" + scim.Fold(userName) }
func idKey(remoteID string) string   { return "id:" + remoteID }

// take enters an account for an identity; where it is somebody else's it says whose.
func (l *ledger) take(key, identity string) (owner string, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if owner, entered := l.by[key]; entered {
		return owner, owner == identity
	}
	if l.by == nil {
		l.by, l.of = map[string]string{}, map[string][]string{}
	}
	l.by[key] = identity
	l.of[identity] = append(l.of[identity], key)
	return identity, true
}

// other is who else an account is entered for, empty if nobody.
func (l *ledger) other(key, identity string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if owner := l.by[key]; owner != identity {
		return owner
	}
	return ""
}

// release forgets what was entered for an identity: the store knows by now.
func (l *ledger) release(identity string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range l.of[identity] {
		delete(l.by, key)
	}
	delete(l.of, identity)
}
