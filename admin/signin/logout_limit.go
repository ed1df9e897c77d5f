package signin

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The limits of what comes in at the provider's back door: from one address, and from how
// many addresses it is known how much came from them.
const (
	logoutsPerSecond = 10
	logoutsAtOnce    = 50
	logoutAddresses  = 1024
)

// logoutLimits bounds logout tokens by the address they come from: each one costs the check
// of a signature, and a stranger who sends many must not keep the provider's out.
type logoutLimits struct {
	mu        sync.Mutex
	addresses map[string]*rate.Limiter
}

// allow reports whether one more may come from where r came from.
func (l *logoutLimits) allow(r *http.Request, now time.Time) bool {
	host := network(r.RemoteAddr)
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.addresses[host]
	if of == nil {
		if l.addresses == nil || len(l.addresses) >= logoutAddresses {
			l.forget(now)
		}
		of = rate.NewLimiter(logoutsPerSecond, logoutsAtOnce)
		l.addresses[host] = of
	}
	return of.AllowN(now, 1)
}

// network is the address of a remote one, host:port; of IPv6 the /64, which is one
// customer's.
func network(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	a := ap.Addr().Unmap()
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.String()
	}
	return a.String()
}

// forget drops the addresses that have all their allowance again, and all of them where
// there are none such: memory stays bounded whoever sends from wherever.
func (l *logoutLimits) forget(now time.Time) {
	for host, of := range l.addresses {
		if of.TokensAt(now) >= logoutsAtOnce {
			delete(l.addresses, host)
		}
	}
	if l.addresses == nil || len(l.addresses) >= logoutAddresses {
		l.addresses = map[string]*rate.Limiter{}
	}
}
