package fanout

import (
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// crowd is an application that makes up its accounts when it is asked for them: as many
// as one likes, all as they were applied unless differ says otherwise.
type crowd struct {
	n      int
	name   func(i int) string // user name; nil: the one that was applied
	differ func(i int) string // "", "gone", "unlisted" (by id alone), or a title
	pages  atomic.Int64
	gets   atomic.Int64
	after  func(page int64) // called after each page

	once  sync.Once
	shown []int
}

func (c *crowd) user(i int) string {
	title := "Engineer"
	if c.differ != nil {
		if d := c.differ(i); d != "" && d != "unlisted" {
			title = d
		}
	}
	name, external := fmt.Sprintf("user%07d", i), fmt.Sprintf("x%07d", i)
	if c.name != nil {
		name = c.name(i)
		external = "x-" + name
	}
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"r%07d","userName":%q,"externalId":%q,"active":true,"title":%q,"meta":{"resourceType":"User"}}`, i, name, external, title)
}

// listed gives the number of accounts that a list shows, and which they are.
func (c *crowd) listed() (at func(int) int, total int) {
	if c.differ == nil {
		return func(i int) int { return i }, c.n
	}
	c.once.Do(func() {
		for i := range c.n {
			if d := c.differ(i); d != "gone" && d != "unlisted" {
				c.shown = append(c.shown, i)
			}
		}
	})
	return func(i int) int { return c.shown[i] }, len(c.shown)
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", mediaType)
	if id, ok := strings.CutPrefix(r.URL.Path, "/Users/r"); ok {
		c.gets.Add(1)
		i, err := strconv.Atoi(id)
		if err != nil || i >= c.n || (c.differ != nil && c.differ(i) == "gone") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(c.user(i)))
		return
	}
	if r.URL.Path != "/Users" {
		_, _ = w.Write([]byte(`{"totalResults":0,"Resources":[]}`))
		return
	}
	start, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
	count, _ := strconv.Atoi(r.URL.Query().Get("count"))
	at, total := c.listed()
	var b strings.Builder
	fmt.Fprintf(&b, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"startIndex":%d,"totalResults":%d,"Resources":[`, start, total)
	for i := start - 1; i < min(start-1+count, total); i++ {
		if i >= start {
			b.WriteByte(',')
		}
		b.WriteString(c.user(at(i)))
	}
	b.WriteString("]}")
	_, _ = w.Write([]byte(b.String()))
	if page := c.pages.Add(1); c.after != nil {
		c.after(page)
	}
}

// crowded is a worker over a store in which all of a crowd are in sync.
func crowded(t testing.TB, c *crowd, change func(*model.Target)) (*Worker, *store.Store) {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "hub.db")
	s, err := store.Open(t.Context(), "sqlite:"+file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	raw, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_, err = raw.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1),
a(i, doc) AS (SELECT i, printf('{"userName":"user%07d","active":true,"attrs":{"externalId":"x%07d","title":"Engineer"}}', i, i) FROM n)
INSERT INTO accounts (target, identity_id, user_name, remote_id, owned, desired, applied, observed, because, leaver, leaver_held, state, drift, due, enabled, generation, attempts, next_at, last_error, error_class, verified_at, updated_at)
SELECT 'crowd', printf('i%07d', i), printf('user%07d', i), printf('r%07d', i), 'created', doc, doc, doc, '{}', 0, 0, 'in_sync', '', 0, 1, 1, 0, 0, '', '', 1, 1 FROM a`, c.n)
	if err != nil {
		t.Fatal(err)
	}
	target := model.Target{Name: "crowd", URL: server.URL, Mode: model.ModeEnforce, Adopt: "auto", Auth: model.Auth{Bearer: model.NewSecret("token")},
		Match: []string{"externalId", "userName"}, Guard: model.Guard{Percent: 10, Floor: 5, Window: time.Hour},
		Drift: model.DriftPolicy{Changed: "revert", Missing: "recreate", Unknown: "disable", Sightings: 2}}
	if change != nil {
		change(&target)
	}
	snapshot := &Snapshot{Version: 1, Targets: []model.Target{target}}
	return &Worker{Store: s, Current: func() *Snapshot { return snapshot }, Holder: "test", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Poll: 20 * time.Millisecond, Timeout: 5 * time.Second, Version: "test"}, s
}
