// Package outbound connects to addresses that somebody else has named: it decides where such
// a connection may lead, and refuses to know what is said over it.
package outbound

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Transport connects only to where somebody's URL may lead: never to
// link-local and metadata addresses; to loopback and private ones only where
// allowPrivate. The address is looked at when the connection is made, after names
// were resolved, so that no name can lead around it. It uses no proxy.
func Transport(allowPrivate bool) *http.Transport {
	return &http.Transport{DialContext: Dialer(allowPrivate).DialContext, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
}

// Dialer is what Transport connects with.
func Dialer(allowPrivate bool) *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %q: %w", address, err)
		}
		return allowed(ap.Addr().Unmap(), allowPrivate)
	}}
}

// allowed refuses addresses that a URL of somebody else's must not reach.
func allowed(a netip.Addr, private bool) error {
	if v4, ok := translatedAddress(a); ok {
		if err := allowed(v4, private); err != nil {
			return err
		}
	}
	switch {
	case a.IsLinkLocalUnicast(), a.IsLinkLocalMulticast(), a.IsMulticast(), a.IsInterfaceLocalMulticast(), a.IsUnspecified(), metadata(a):
		return model.Fail(model.Forbidden, "the address "+a.String()+" is link-local or serves a cloud's metadata: it is never asked", nil)
	case !private && (a.IsLoopback() || a.IsPrivate() || shared.Contains(a)):
		return model.Fail(model.Forbidden, "the address "+a.String()+" is private; to allow it, put it into the configuration as a target, or set outbound: {allow_private: true}", nil)
	}
	return nil
}

// shared is the address space of RFC 6598, private to providers.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// metadata tells addresses under which clouds hand out credentials and that are not
// link-local.
func metadata(a netip.Addr) bool {
	switch a.String() {
	case "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254":
		return true
	}
	return false
}

// translatedAddress is the IPv4 address that a gateway would make of one of IPv6: NAT64
// (RFC 6052, the well-known prefix) and 6to4 (RFC 3056).
func translatedAddress(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() || a.Is4In6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

var nat64 = netip.MustParsePrefix("64:ff9b::/96")
