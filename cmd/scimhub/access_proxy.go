package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// behindProxies gives requests that come through a trusted proxy the address they
// came to it from: limits on guessing and the audit trail are about that one.
func (i *instance) behindProxies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := i.hub.Snapshot(); s != nil && len(s.Doc.TrustedProxies) > 0 {
			if addr := origin(s.Doc.TrustedProxies, r); addr.IsValid() {
				c := *r
				c.RemoteAddr = net.JoinHostPort(addr.String(), "0") // the port is the proxy's business
				r = &c
			}
		}
		next.ServeHTTP(w, r)
	})
}

// origin is the last address in X-Forwarded-For that no trusted proxy has, where
// the other side of the connection is one; else the zero address. Whatever stands
// before it may be made up.
func origin(trusted []netip.Prefix, r *http.Request) (found netip.Addr) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !within(trusted, peer.Addr()) {
		return netip.Addr{}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, ok := hopAddress(strings.TrimSpace(hop))
		if !ok {
			return found
		}
		if found = addr; !within(trusted, addr) {
			return found
		}
	}
	return found
}

// hopAddress reads an address that may have a port, as some proxies write it.
func hopAddress(s string) (netip.Addr, bool) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

func within(list []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}
