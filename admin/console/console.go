// Package console is what people look at with a browser. It is a client of the
// operators' API in the same process: a page asks the API in the name of whoever is
// signed in and shows the answer, so that nobody sees or does anything here that the
// API would refuse. It reads no store and talks to no target.
//
// Pages work without scripts; a script, where it runs, keeps them up to date.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
)

// Console serves the pages. All fields but Links are required.
type Console struct {
	// API answers below /api/v1.
	API http.Handler
	// Caller finds out who is signed in: Unauthorized where nobody is.
	Caller func(*http.Request) (admin.Caller, error)
	// Protect refuses what another site has a browser send (cross-site request forgery).
	Protect func(http.Handler) http.Handler
	Log     *slog.Logger
	Now     func() time.Time
	// Secure says whether the hub is reached by TLS alone.
	Secure func() bool

	sheets *sheets
	live   *live
	pages  *mux.Router
}

// page is an address that is looked at.
type page struct {
	path, sheet string // sheet: name of the template without .html
	show        func(*Visit) (any, error)
}

// action is an address that a form is sent to.
type action struct {
	path string
	do   func(*Visit) (Done, error)
}

// Done is how an action ended.
type Done struct {
	To   string // the page to go to; empty: back to where the form was
	Said string // what was done, in words

	// Sheet, where it is set, is the template of a page that is shown at once with Data,
	// in place of going to one: of what was asked for and is kept nowhere.
	Sheet string
	Data  any
}

func (c *Console) allPages() []page {
	return slices.Concat(c.homePages(), c.peoplePages(), c.targetPages(), c.watchPages(), c.policyPages(), c.requestPages(),
		c.reviewPages(), c.taskPages(), c.auditPages(), c.settingsPages())
}

func (c *Console) allActions() []action {
	return slices.Concat(c.peopleActions(), c.targetActions(), c.policyActions(), c.requestActions(),
		c.reviewActions(), c.taskActions(), c.auditActions(), c.settingsActions())
}

// Mount adds the console's addresses, which stand at the root. The context ends what
// follows changes for pages that are open.
func (c *Console) Mount(ctx context.Context, r *mux.Router) error {
	var err error
	pages := c.allPages()
	if c.sheets, err = loadSheets(pages, c.Now); err != nil {
		return err
	}
	c.live = newLive(ctx, c)
	c.pages = mux.NewRouter().SkipClean(true).UseEncodedPath()
	for _, p := range pages {
		c.pages.Path(p.path).Methods(http.MethodGet, http.MethodHead).Handler(c.shown(p))
	}
	for _, a := range c.allActions() {
		c.pages.Path(a.path).Methods(http.MethodPost).Handler(c.done(a))
	}
	c.pages.Path("/live").Methods(http.MethodGet).Handler(c.live)
	all := c.Protect(c.headers(c.pages))
	for _, path := range c.paths(pages) {
		r.Path(path).Handler(all)
	}
	r.PathPrefix("/assets/").Methods(http.MethodGet, http.MethodHead).Handler(c.headers(c.sheets))
	return nil
}

// paths are all addresses, each once; the same one may be looked at and sent to.
func (c *Console) paths(pages []page) (out []string) {
	for _, p := range pages {
		out = append(out, p.path)
	}
	for _, a := range c.allActions() {
		out = append(out, a.path)
	}
	out = append(out, "/live")
	slices.Sort(out)
	return slices.Compact(out)
}

// policy is the Content-Security-Policy: nothing but the console's own files.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (c *Console) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if c.Secure() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
