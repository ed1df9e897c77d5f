package scimserver

import (
	"errors"
	"net/http"
	"strconv"
)

// spillAt is how much of a list or a group is encoded before it goes out, in bytes:
// neither is ever in memory as a whole.
const spillAt = 128 << 10

// errGone says that the client has gone; there is nobody to tell.
var errGone = errors.New("the client has gone")

// output is an answer on its way out.
type output struct {
	*exchange
	rep  reply
	sent bool // the header is out
	size int  // bytes that a HEAD was spared
}

// write sends the answer and returns its status, and whether it is whole. The body
// is complete before the header goes out, so that an encoding failure still becomes
// a proper 500; only of what is larger than spillAt the beginning is on its way then.
func (x *exchange) write(rep reply) (status int, whole bool) {
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= pooledMost {
			buffers.Put(buf)
		}
	}()
	o := output{exchange: x, rep: rep}
	body, err := o.encode((*buf)[:0])
	if err != nil && !o.sent {
		o.rep = x.failure(err)
		body, err = appendJSON(body[:0], o.rep.body)
	}
	*buf = body
	if err != nil {
		if !errors.Is(err, errGone) {
			x.report(err, http.StatusInternalServerError)
		}
		return http.StatusInternalServerError, false
	}
	if !o.sent {
		o.header(o.size + len(body))
	}
	if o.rep.body != nil && x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // a failure means that the client has gone
	}
	return o.rep.status, true
}

// encode returns the body, or its end if the rest has gone out.
func (o *output) encode(out []byte) (body []byte, err error) {
	body = out
	switch v := o.rep.body.(type) {
	case nil:
	case listBody:
		err = guard(func() (err error) {
			body, err = appendPage(out, v, o.spill)
			return err
		})
	case groupBody:
		err = guard(func() (err error) {
			body, err = appendGroup(out, v, o.spill)
			return err
		})
	default:
		err = guard(func() (err error) {
			body, err = appendJSON(out, v)
			return err
		})
	}
	return body, err
}

// spill sends what is encoded, if it is much.
func (o *output) spill(out []byte) ([]byte, error) {
	if len(out) < spillAt {
		return out, nil
	}
	if o.r.Method == http.MethodHead {
		o.size += len(out)
		return out[:0], nil
	}
	if !o.sent {
		o.sent = true
		o.header(-1)
	}
	if _, err := o.w.Write(out); err != nil {
		return out[:0], errGone
	}
	return out[:0], nil
}

// header sends status and header; size is the length of the body, negative where it
// is not known yet.
func (o *output) header(size int) {
	header := o.w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	for _, h := range o.rep.header {
		header.Set(h[0], h[1])
	}
	if o.rep.body != nil {
		header.Set("Content-Type", mediaType)
		if size >= 0 {
			header.Set("Content-Length", strconv.Itoa(size))
		}
	}
	o.w.WriteHeader(o.rep.status)
}
