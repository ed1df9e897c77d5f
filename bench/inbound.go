package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// step is one thing that a source does, and the bare statement for it.
type step struct {
	what     string
	hub, raw func(ctx context.Context, n int64) error
	page     bool // the answer is a page of 100, not one resource
	workers  int  // at once
}

// besideC is the floor of a request.
const besideC = "C = 1/(1/H + 1/D): a canned answer and the bare statements"

// inbound measures what sources do, from the wire to the disk.
func (r *run) inbound(ctx context.Context, db *database) (err error) {
	s, err := r.open(ctx, db, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	c, floor := s.client, s.floor
	r.Say(fmt.Sprintf("%s: %d people come in", db.kind, r.People))
	if err := errors.Join(c.fill(ctx, &r.serial, r.People), floor.fill(ctx, r.People)); err != nil {
		return err
	}
	page, err := c.walk(ctx)
	if err != nil {
		return err
	}
	return r.measure(ctx, db, "inbound", c.steps(floor), page)
}

// measure has hub and floors take turns at each step.
func (r *run) measure(ctx context.Context, db *database, part string, steps []step, page []byte) error {
	one, err := newCanned(ctx, person(0))
	if err != nil {
		return err
	}
	defer one.stop() //nolint:errcheck // nothing is left to lose
	hundred, err := newCanned(ctx, page)
	if err != nil {
		return err
	}
	defer hundred.stop() //nolint:errcheck // nothing is left to lose
	for _, s := range steps {
		answer := one
		if s.page {
			answer = hundred
		}
		var rates [3]float64
		for range r.Rounds {
			for i, fn := range []func(context.Context, int64) error{answer.get, s.raw, s.hub} {
				got, err := r.rate(ctx, s.workers, fn)
				if err != nil {
					return fmt.Errorf("%s: %w", s.what, err)
				}
				rates[i] += got / float64(r.Rounds)
			}
		}
		r.add(db, part, s.what, rates[2], 1/(1/rates[0]+1/rates[1]), besideC)
	}
	return nil
}

func (c *client) steps(f *raw) []step {
	deep := max(1, len(c.ids)-200)
	return []step{
		{"create a user", c.create, f.create, false, connections},
		{"read by id", c.read, f.read, false, connections},
		{"userName eq", c.by(`userName eq "user%08d@example.com"`), f.find, false, connections},
		{"externalId eq", c.by(`externalId eq "ext-%d"`), f.find, false, connections},
		{"emails.value eq", c.by(`emails.value eq "user%08d@example.com"`), f.find, false, connections},
		{`emails[type eq "work"].value eq`, c.by(`emails[type eq "work"].value eq "user%08d@example.com"`), f.find, false, connections},
		{"id eq", c.one(func(i int) string { return `id eq "` + c.ids[i] + `"` }), f.read, false, connections},
		{"PUT", c.put, f.change, false, connections},
		{"PATCH active", c.patch, f.change, false, connections},
		{"page of 100, first", c.pageAt("count=100"), f.page, true, connections},
		{"page of 100, deep, by index", c.pageAt(fmt.Sprintf("count=100&startIndex=%d", deep)), f.page, true, connections},
		{"page of 100, deep, by cursor", c.pageAt("count=100&cursor=" + c.cursor), f.page, true, connections},
	}
}

func (c *client) create(ctx context.Context, n int64) error {
	_, err := c.do(ctx, http.MethodPost, "/Users", person(n), http.StatusCreated)
	return err
}

func (c *client) read(ctx context.Context, n int64) error {
	return c.drain(ctx, "/Users/"+c.ids[int(n)%len(c.ids)])
}

// put replaces somebody by what differs in the title alone.
func (c *client) put(ctx context.Context, n int64) error {
	i := int(n) % len(c.ids)
	body := bytes.Replace(person(c.names[i]), []byte(`"active":true`), fmt.Appendf(nil, `"active":true,"title":"Title %d"`, n), 1)
	_, err := c.do(ctx, http.MethodPut, "/Users/"+c.ids[i], body, http.StatusOK)
	return err
}

// patch turns somebody off or on: never what they are already.
func (c *client) patch(ctx context.Context, n int64) error {
	i := int(n) % len(c.ids)
	body := fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":%t}]}`,
		c.off[i].Swap(!c.off[i].Load()))
	_, err := c.do(ctx, http.MethodPatch, "/Users/"+c.ids[i], body, http.StatusOK)
	return err
}

// by looks people up by a filter with their serial number in it.
func (c *client) by(filter string) func(context.Context, int64) error {
	return c.one(func(i int) string { return fmt.Sprintf(filter, c.names[i]) })
}

// one looks up one person.
func (c *client) one(filter func(i int) string) func(context.Context, int64) error {
	return c.checked(`"totalResults":1,`, func(n int64) string { return "filter=" + url.QueryEscape(filter(int(n)%len(c.ids))) })
}

// pageAt asks for a page.
func (c *client) pageAt(query string) func(context.Context, int64) error {
	return c.checked(`"itemsPerPage":100,`, func(int64) string { return query })
}

// checked asks for users. It looks for a text in one answer and reads the others to
// their end.
func (c *client) checked(want string, query func(n int64) string) func(context.Context, int64) error {
	var once sync.Once
	return func(ctx context.Context, n int64) (err error) {
		q := query(n)
		once.Do(func() {
			var out []byte
			if out, err = c.do(ctx, http.MethodGet, "/Users?"+q, nil, http.StatusOK); err == nil && !strings.Contains(string(out), want) {
				err = fmt.Errorf("%s: no %s in %.300s", q, want, out)
			}
		})
		if err != nil {
			return err
		}
		return c.drain(ctx, "/Users?"+q)
	}
}

// walk goes through all pages, to learn the cursor of a deep one, and gives the first.
func (c *client) walk(ctx context.Context) (first []byte, err error) {
	next := ""
	for pages := 1; ; pages++ {
		out, err := c.do(ctx, http.MethodGet, "/Users?count=100&cursor="+next, nil, http.StatusOK)
		if err != nil {
			return nil, err
		}
		var list struct{ NextCursor string }
		if err := json.Unmarshal(out, &list); err != nil {
			return nil, err
		}
		if first == nil {
			first = out
		}
		if list.NextCursor == "" || pages*100 > len(c.ids)-300 && c.cursor != "" {
			return first, nil
		}
		next, c.cursor = list.NextCursor, list.NextCursor
	}
}
