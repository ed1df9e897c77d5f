package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// said is the cookie that carries one sentence over a redirect.
const said = "scimhub-said"

// frame is what the layout shows around a page.
type frame struct {
	Caller admin.Caller
	Nav    []navGroup
	Path   string
	Said   string // what was just done
	Fault  string // what was just refused
	Key    string // for the forms of this page
	Seq    int64  // how far the hub had come before the page was made
	Still  bool   // it answers a form, and is not to be replaced by itself
	Form   url.Values
	Data   any
	again  func(pairs ...string) string
}

// Again is the present address with other parameters: pairs of names and values, an
// empty value takes a parameter away.
func (f frame) Again(pairs ...string) string {
	if f.again == nil {
		return ""
	}
	return f.again(pairs...)
}

// failedKey carries a failed action to the page that shows its form again.
type failedKey struct{}

type failed struct {
	form   url.Values
	text   string
	status int
}

// visit is a request with who is signed in.
func (c *Console) visit(r *http.Request) (*Visit, error) {
	caller, err := c.Caller(r)
	if err != nil {
		return nil, err
	}
	v := &Visit{Caller: caller, console: c, request: r, Form: url.Values{}}
	if f, ok := r.Context().Value(failedKey{}).(failed); ok {
		v.Form, v.fault = f.form, f.text
	}
	return v, nil
}

// shown serves a page.
func (c *Console) shown(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := c.visit(r)
		if err != nil {
			c.problem(w, r, nil, err)
			return
		}
		v.seq = c.live.before(r.Context())
		data, err := p.show(v)
		if err != nil {
			c.problem(w, r, v, err)
			return
		}
		if to, ok := data.(elsewhere); ok {
			http.Redirect(w, r, string(to), http.StatusSeeOther)
			return
		}
		if d, ok := data.(download); ok {
			c.pass(w, r, v, d)
			return
		}
		status := http.StatusOK
		if f, ok := r.Context().Value(failedKey{}).(failed); ok {
			status = f.status
		}
		c.write(w, r, v, p.sheet, status, data)
	})
}

// elsewhere is what a page answers that is another one.
type elsewhere string

// write renders a template within the layout.
func (c *Console) write(w http.ResponseWriter, r *http.Request, v *Visit, sheet string, status int, data any) {
	f := frame{Path: r.URL.EscapedPath(), Key: rand.Text(), Form: url.Values{}, Data: data}
	_, f.Still = r.Context().Value(failedKey{}).(failed)
	f.Still = f.Still || r.Method == http.MethodPost
	if v != nil {
		f.Caller, f.Nav, f.Form, f.Fault, f.again = v.Caller, navigation(v.Caller, r.URL.Path), v.Form, v.fault, v.Again
		f.Seq = v.seq
	}
	if k, err := r.Cookie(said); err == nil && r.Method == http.MethodGet && r.Header.Get("X-Live") == "" {
		f.Said, _ = url.QueryUnescape(k.Value)
		http.SetCookie(w, &http.Cookie{Name: said, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.Secure()})
	}
	var out bytes.Buffer
	if err := c.sheets.render(&out, sheet, f); err != nil {
		c.Log.ErrorContext(r.Context(), "page cannot be shown", "error", err)
		http.Error(w, "this page cannot be shown: the log says more", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// done carries out what a form asks for and goes on to a page. Where it fails, the page
// with the form is shown again with what was typed and the reason.
func (c *Console) done(a action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		v, err := c.visit(r)
		if err == nil {
			if err = parseForm(r); err != nil {
				err = model.Fail(model.Invalid, "what the form sent cannot be read: "+err.Error(), err)
			}
		}
		if err != nil {
			c.problem(w, r, v, err)
			return
		}
		v.Form = r.PostForm
		back := local(v.Form.Get("back"))
		d, err := a.do(v)
		switch {
		case err != nil && back != "" && statusOf(err) != http.StatusUnauthorized:
			c.again(w, r, back, failed{v.Form, wordsOf(err), statusOf(err)})
		case err != nil:
			c.problem(w, r, v, err)
		case d.Sheet != "":
			c.write(w, r, v, d.Sheet, http.StatusOK, d.Data)
		default:
			if d.To == "" {
				d.To = back
			}
			if d.To == "" {
				d.To = "/"
			}
			if d.Said != "" {
				http.SetCookie(w, &http.Cookie{Name: said, Value: url.QueryEscape(d.Said), Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.Secure()})
			}
			http.Redirect(w, r, d.To, http.StatusSeeOther)
		}
	})
}

func parseForm(r *http.Request) error {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return r.ParseMultipartForm(maxForm)
	}
	return r.ParseForm()
}

// again shows the page with the form that failed.
func (c *Console) again(w http.ResponseWriter, r *http.Request, back string, f failed) {
	ctx := context.WithValue(r.Context(), failedKey{}, f)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, back, http.NoBody)
	if err != nil {
		c.problem(w, r, nil, model.Fail(model.Invalid, f.text, err))
		return
	}
	req.Header, req.RemoteAddr, req.Host, req.TLS = r.Header, r.RemoteAddr, r.Host, r.TLS
	c.pages.ServeHTTP(w, req)
}

// local is a path of this site; empty: it is none. Nobody is led to another site.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n") {
		return ""
	}
	return path
}

// problem is the page of what did not work.
func (c *Console) problem(w http.ResponseWriter, r *http.Request, v *Visit, err error) {
	status := statusOf(err)
	if status == http.StatusUnauthorized {
		if r.Header.Get("Authorization") != "" { // of a program, or a password that was mistyped
			w.Header().Set("WWW-Authenticate", `Basic realm="scimhub: any user name, an API token as password", charset="UTF-8"`)
		} else if r.Method == http.MethodGet && r.Header.Get("X-Live") == "" {
			http.Redirect(w, r, Query("/sign-in", "return", r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
	}
	if ctx := r.Context(); status == http.StatusInternalServerError && errors.Is(ctx.Err(), context.Canceled) {
		c.Log.InfoContext(ctx, "request given up by its client", "method", r.Method, "error", err)
	} else if status == http.StatusInternalServerError {
		c.Log.ErrorContext(ctx, "request failed", "method", r.Method, "error", err)
	}
	c.write(w, r, v, "problem", status, problemView{status, http.StatusText(status), wordsOf(err)})
}

// problemView is what the page of a problem shows.
type problemView struct {
	Status      int
	Title, Text string
}

func statusOf(err error) int {
	if p, ok := errors.AsType[*problemError](err); ok && p.status >= http.StatusBadRequest {
		return p.status
	}
	return admin.StatusOf(err)
}

// wordsOf is an error for whoever looks; what is internal stays in the log.
func wordsOf(err error) string {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return e.Message
	}
	return "Something went wrong inside; the log says more."
}
