package fanout

import (
	"crypto/tls"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
)

// certLook is how often the files of a client certificate are looked at, at most.
const certLook = time.Second

// targetTransport is the way to a target. Where the hub shows a certificate there, another
// one in its files counts from the next request on.
func targetTransport(t model.Target, p Profile, now func() time.Time) http.RoundTripper {
	if t.Auth.MTLS == nil {
		return newTransport(t, p)
	}
	return &certTransport{files: *t.Auth.MTLS, now: now, fresh: func() *http.Transport { return newTransport(t, p) }}
}

// certTransport begins connections anew when the client certificate changed: a connection
// shows one when it begins, and a busy one may last for weeks.
type certTransport struct {
	files model.ClientCert
	now   func() time.Time
	fresh func() *http.Transport

	mu     sync.Mutex
	looked time.Time
	stamps [2]certStamp
	own    *http.Transport
}

type certStamp struct {
	modified time.Time
	size     int64
}

// RoundTrip sends a request by connections that show the present certificate.
func (c *certTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.current().RoundTrip(r)
}

// CloseIdleConnections closes those that nothing goes over.
func (c *certTransport) CloseIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

func (c *certTransport) current() *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.own != nil && now.Sub(c.looked) < certLook {
		return c.own
	}
	c.looked = now
	stamps := [2]certStamp{stampOf(c.files.Cert), stampOf(c.files.Key)}
	if c.own != nil && stamps == c.stamps {
		return c.own
	}
	if c.own != nil {
		if _, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key); err != nil {
			return c.own // half written, perhaps; connections that are there go on
		}
		c.own.CloseIdleConnections() // requests under way end on theirs, and those close after IdleConnTimeout
	}
	c.own, c.stamps = c.fresh(), stamps
	return c.own
}

func stampOf(file string) certStamp {
	info, err := os.Stat(file)
	if err != nil {
		return certStamp{}
	}
	return certStamp{info.ModTime(), info.Size()}
}

// certificateEnd is when the certificate that the hub shows at a target ends; nil where it
// cannot be read.
func certificateEnd(m model.ClientCert) *time.Time {
	pair, err := tls.LoadX509KeyPair(m.Cert, m.Key)
	if err != nil || pair.Leaf == nil {
		return nil
	}
	end := pair.Leaf.NotAfter
	return &end
}
