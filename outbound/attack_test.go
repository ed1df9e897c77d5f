package outbound

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scimhub/scimhub/model"
)

// Every way to write an address that must not be asked, as an address or as a URL.
func TestDisguisedAddresses(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::169.254.169.254", "64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::",
		"2002:a9fe:a9fe::", "::169.254.169.254", "2001:db8::5efe:169.254.169.254", "2001:db8::200:5efe:169.254.169.254",
		"fe80::1%eth0", "0.0.0.0", "0.1.2.3", "255.255.255.255", "240.0.0.1", "168.63.129.16", "192.0.0.192", "fd20:ce::254", "2001:0:a9fe:a9fe::1", "::", "ff02::1",
	} {
		for _, private := range []bool{false, true} {
			if err := allowed(netip.MustParseAddr(a).Unmap(), private); model.CodeOf(err) != model.Forbidden {
				t.Errorf("%s (private ones %v): %v", a, private, err)
			}
		}
	}
	for _, a := range []string{"100.127.255.255", "198.19.0.1", "192.0.0.8", "fec0::1", "64:ff9b:1::5db8:d822", "64:ff9b::10.0.0.1", "::10.0.0.1", "2002:a00:1::", "fd00::1"} {
		if allowed(netip.MustParseAddr(a), false) == nil || allowed(netip.MustParseAddr(a), true) != nil {
			t.Errorf("%s is not taken as private", a)
		}
	}
	for _, host := range []string{"2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[::ffff:a9fe:a9fe]", "169.254.169.254", "[64:ff9b::a9fe:a9fe]", "[fe80::1%25lo]"} {
		d := Dialer(true)
		d.Resolver = names(t, func() netip.Addr { return netip.MustParseAddr("169.254.169.254") }) // as some resolvers read figures
		transport := &http.Transport{DialContext: d.DialContext}
		err := get(t, transport, "http://"+host+"/latest/meta-data")
		if _, unknown := errors.AsType[*net.DNSError](err); !unknown && model.CodeOf(err) != model.Forbidden { // Go's own resolver takes figures for no name
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A name that leads elsewhere at the second look is judged by where the connection goes.
func TestRebinding(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	var looks atomic.Int32
	d := Dialer(false)
	d.Resolver = names(t, func() netip.Addr {
		if looks.Add(1) == 1 {
			return netip.MustParseAddr("93.184.216.34")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	if found, err := d.Resolver.LookupNetIP(t.Context(), "ip4", "rebind.example."); err != nil || len(found) != 1 || found[0].Unmap().String() != "93.184.216.34" {
		t.Fatalf("the first look: %v %v", found, err)
	}
	if err := get(t, &http.Transport{DialContext: d.DialContext}, "http://rebind.example.:"+port); model.CodeOf(err) != model.Forbidden {
		t.Errorf("after the name changed: %v", err)
	}
}

// A redirect leads nowhere that the first address could not.
func TestRedirectedInside(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data", http.StatusFound))
	t.Cleanup(s.Close)
	if err := get(t, Transport(true), s.URL); model.CodeOf(err) != model.Forbidden {
		t.Errorf("a redirect to metadata: %v", err)
	}
}

// What goes through a proxy is judged before: the proxy would connect for us.
func TestProxyAsksNobodyForUs(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"http://169.254.169.254/keys": false, "http://[::ffff:a9fe:a9fe]/keys": false, "https://10.0.0.1/keys": true, "https://idp.example/keys": true} {
		req := httptest.NewRequest(http.MethodGet, address, nil)
		if _, err := Configured().Proxy(req); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := get(t, Configured(), "http://169.254.169.254/keys"); model.CodeOf(err) != model.Forbidden {
		t.Errorf("without a proxy: %v", err)
	}
}

func get(t *testing.T, transport *http.Transport, address string) error {
	t.Helper()
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	return errors.Join(res.Body.Close(), errors.New("somebody answered "+res.Status))
}

// names is a resolver to whom every name has the address that says.
func names(t *testing.T, says func() netip.Addr) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(resolved(buf[:n], says), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// resolved answers one question of DNS: an A record for A, nothing for anything else.
func resolved(question []byte, says func() netip.Addr) []byte {
	end := 12 + strings.IndexByte(string(question[12:]), 0) + 1 + 4 // name, type, class
	out := append([]byte(nil), question[:end]...)
	out[2], out[3] = 0x81, 0x80
	copy(out[6:12], []byte{0, 0, 0, 0, 0, 0})
	if binary.BigEndian.Uint16(question[end-4:]) != 1 {
		return out
	}
	out[7] = 1
	v4 := says().As4()
	return append(append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), v4[:]...)
}
