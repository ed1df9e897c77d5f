package fanout

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/scimhub/scimhub/model"
)

// GuardedTransport connects only to where somebody's URL may lead: never to
// link-local and metadata addresses; to loopback and private ones only where
// allowPrivate. The address is looked at when the connection is made, after names
// were resolved, so that no name can lead around it. It uses no proxy.
func GuardedTransport(allowPrivate bool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %q: %w", address, err)
		}
		return allowed(ap.Addr().Unmap(), allowPrivate)
	}}
	return &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
}

// allowed refuses addresses that a URL of somebody else's must not reach.
func allowed(a netip.Addr, private bool) error {
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
