// Package outbound connects to addresses that somebody else has named: it decides where such
// a connection may lead, and refuses to know what is said over it.
package outbound

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
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

// Configured is for addresses that an administrator has named and whose answers name
// further ones: an OpenID provider, the keys of an issuer. They may be anywhere but where
// nobody is ever asked, and are reached through the proxy of the environment, where there
// is one.
func Configured() *http.Transport {
	t := Transport(true)
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if a, err := netip.ParseAddr(r.URL.Hostname()); err == nil { // which the proxy would connect to for us
			if err := allowed(a.Unmap(), true); err != nil {
				return nil, err
			}
		}
		return http.ProxyFromEnvironment(r)
	}
	return t
}

// allowed refuses addresses that a URL of somebody else's must not reach.
func allowed(a netip.Addr, private bool) error {
	a = a.WithZone("")
	for _, v4 := range embedded(a) {
		if err := allowed(v4, private); err != nil {
			return err
		}
	}
	switch {
	case a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified(), within(never[:], a):
		return model.Fail(model.Forbidden, "the address "+a.String()+" is link-local, reserved or serves a cloud's metadata: it is never asked", nil)
	case !private && (a.IsLoopback() || a.IsPrivate() || within(inside[:], a)):
		return model.Fail(model.Forbidden, "the address "+a.String()+" is private; to allow it, put it into the configuration as a target, or set outbound: {allow_private: true}", nil)
	}
	return nil
}

// never are networks in which nobody is asked, beside link-local ones.
var never = [...]netip.Prefix{ // read only
	netip.MustParsePrefix("0.0.0.0/8"),          // this host, this network
	netip.MustParsePrefix("240.0.0.0/4"),        // reserved, and broadcast
	netip.MustParsePrefix("100.100.100.200/32"), // metadata of clouds, from here
	netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("192.0.0.192/32"),
	netip.MustParsePrefix("fd00:ec2::254/128"),
	netip.MustParsePrefix("fd20:ce::254/128"),
	netip.MustParsePrefix("2001::/32"), // Teredo hides an address of IPv4 in its own
}

// inside are networks that belong to whoever runs them, beside RFC 1918's and fc00::/7.
var inside = [...]netip.Prefix{ // read only
	netip.MustParsePrefix("100.64.0.0/10"), // RFC 6598, of providers
	netip.MustParsePrefix("192.0.0.0/24"),  // RFC 6890
	netip.MustParsePrefix("198.18.0.0/15"), // RFC 2544, of test networks
	netip.MustParsePrefix("fec0::/10"),     // site-local, of old
	nat64Local,
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052, well known
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215, of one's own
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291, of old
)

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// embedded are the addresses of IPv4 that a gateway would make of one of IPv6: NAT64, 6to4
// (RFC 3056), ISATAP (RFC 5214) and what was compatible once.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() || a.Is4In6() || a.IsLoopback() || a.IsUnspecified() {
		return nil
	}
	b := a.As16()
	last := netip.AddrFrom4([4]byte(b[12:16]))
	switch {
	case nat64Local.Contains(a): // RFC 6052 §2.2: behind a prefix of 48 bits, or at the end
		if behind := netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]}); !behind.IsUnspecified() {
			return []netip.Addr{behind}
		}
		return []netip.Addr{last}
	case nat64.Contains(a), compatible.Contains(a), b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return []netip.Addr{last}
	case b[0] == 0x20 && b[1] == 0x02:
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	}
	return nil
}
