package main_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// Everybody active is at all; who is of department A is at some, too. Groups are
// mirrored at all.
const yearsConfig = `
public_url: http://127.0.0.1:8080
shutdown_delay: 1s
database: "${env:E2E_DATABASE}"
admin:
  tokens: [{name: ops, secret: "${env:E2E_ADMIN_TOKEN}", role: admin}]
sources:
  hr:
    tokens: [{name: main, secret: "${env:E2E_HR_TOKEN}"}]
    guard: {leavers: 100%, floor: 1000000}
roles:
  everybody: {when: user.active, grants: [{target: all}]}
  a: {when: 'user.active && user.enterprise.department == "A"', grants: [{target: some}]}
targets:
  all:
    url: URL_ALL
    auth: {bearer: "${env:E2E_APP_TOKEN}"}
    rate: {concurrency: 8, buckets: []}
    groups: {mirror: ['displayName sw "proj-"']}
    guard: {removals: 100%, floor: 1000000}
  some:
    url: URL_SOME
    auth: {bearer: "${env:E2E_APP_TOKEN}"}
    rate: {concurrency: 8, buckets: []}
    guard: {removals: 100%, floor: 1000000}
`

// years is a company, its applications, and replicas on one PostgreSQL, each with a way of
// its own to the database.
type years struct {
	*world
	all, some *watched
	people    []*moved
	groups    []*movedGroup
	replicas  []*yearReplica

	acknowledged, repeated, unavailable atomic.Int64
	slowest                             atomic.Int64 // request that was acknowledged, microseconds
}

// yearClients are the most there are at once.
const yearClients = 128

type yearReplica struct {
	n       int
	base    string
	address string
	config  string
	args    []string // beside its configuration
	cable   *storetest.Cable
	program string
	hub     *process
	http    *http.Client
}

func newYears(t *testing.T, database string, count, people int) *years {
	t.Helper()
	y := &years{world: &world{t: t, dir: t.TempDir(), database: database}}
	y.all, y.some = startWatched(t, "generic"), startWatched(t, "generic")
	y.all.name, y.some.name = "all", "some"
	text := strings.NewReplacer("URL_ALL", y.all.server.URL+app.Prefix, "URL_SOME", y.some.server.URL+app.Prefix).Replace(yearsConfig)
	for n := range people {
		y.people = append(y.people, &moved{n: n, active: true, department: []string{"A", "B", "C"}[n%3], projects: map[int]bool{}})
	}
	for n := range 8 {
		y.groups = append(y.groups, &movedGroup{n: n})
	}
	if err := os.WriteFile(filepath.Join(y.dir, "hub.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range count {
		port := storetest.Port(t)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		r := &yearReplica{n: n, base: "http://" + address, address: address, args: []string{"--listen", address}, config: filepath.Join(y.dir, "hub.yaml"), cable: storetest.NewCable(t, database), program: programPath(t)}
		r.http = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: yearClients}}
		y.replicas = append(y.replicas, r)
	}
	y.base, y.config = y.replicas[0].base, y.replicas[0].config
	return y
}

// launch starts a replica and does not wait for it.
func (y *years) launchReplica(r *yearReplica) {
	env := append(y.env(), "E2E_DATABASE="+r.cable.URL, "SCIMHUB_RUNTIME_DIR="+filepath.Join(y.dir, fmt.Sprint("run", r.n)))
	r.hub = launchProgram(y.t, r.program, fmt.Sprint("replica ", r.n), env, append([]string{"serve", "--config", r.config}, r.args...)...)
}

// serves waits until a replica is ready.
func (y *years) serves(r *yearReplica) {
	y.t.Helper()
	r.hub.awaitReady(y.t, r.base)
}

// say sends a change as an identity provider does: to any replica, and again to another
// one until it is answered. unsure says that an earlier try may have been carried out.
func (y *years) say(ctx context.Context, rng *rand.Rand, method, path string, body any) (a answer, unsure bool, err error) {
	for {
		r := y.replicas[rng.IntN(len(y.replicas))]
		s := &source{base: r.base + "/scim/v2", token: hrToken, http: r.http}
		begun := time.Now()
		a, err = s.once(ctx, method, path, body)
		if err == nil && a.status < 500 && a.status != http.StatusTooManyRequests {
			if a.status < 300 && method != http.MethodGet {
				y.acknowledged.Add(1)
			}
			for took := time.Since(begun).Microseconds(); ; {
				last := y.slowest.Load()
				if took <= last || y.slowest.CompareAndSwap(last, took) {
					break
				}
			}
			return a, unsure, nil
		}
		y.repeated.Add(1)
		switch {
		case err == nil && a.status == http.StatusServiceUnavailable:
			y.unavailable.Add(1)
			if a.header.Get("Retry-After") == "" {
				return a, unsure, fmt.Errorf("%s %s: 503 without Retry-After: %s", method, path, a.body)
			}
		case err == nil:
			return a, unsure, fmt.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
		unsure = true
		if ctx.Err() != nil {
			return a, unsure, fmt.Errorf("%s %s: no answer in time: %d %s %w", method, path, a.status, a.body, err)
		}
		pause := time.NewTimer(time.Duration(20+rng.IntN(60)) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// create makes somebody, or a group, once: where it is unsure it is looked for.
func (y *years) create(ctx context.Context, rng *rand.Rand, endpoint, filter string, doc map[string]any) (string, error) {
	a, unsure, err := y.say(ctx, rng, http.MethodPost, endpoint, doc)
	if err != nil {
		return "", err
	}
	if a.status == http.StatusCreated && !unsure {
		return text(a.doc, "id"), nil
	}
	if a.status != http.StatusCreated && (a.status != http.StatusConflict || !unsure) {
		return "", fmt.Errorf("POST %s: %d %s", endpoint, a.status, a.body)
	}
	found, _, err := y.say(ctx, rng, http.MethodGet, endpoint+"?filter="+filter, nil)
	if err != nil {
		return "", err
	}
	list, _ := found.doc["Resources"].([]any)
	if len(list) != 1 {
		return "", fmt.Errorf("%s %s: there are %d after a create without an answer", endpoint, filter, len(list))
	}
	one, _ := list[0].(map[string]any)
	return text(one, "id"), nil
}

func (y *years) change(ctx context.Context, rng *rand.Rand, method, path string, body any) error {
	a, _, err := y.say(ctx, rng, method, path, body)
	if err == nil && a.status >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return err
}

func (y *years) patch(ctx context.Context, rng *rand.Rand, path string, ops ...map[string]any) error {
	return y.change(ctx, rng, http.MethodPatch, path, map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops})
}

// join brings somebody in.
func (y *years) join(ctx context.Context, rng *rand.Rand, p *moved) (err error) {
	p.id, err = y.create(ctx, rng, "/Users", "userName+eq+%22"+p.userName()+"%22", p.doc())
	return err
}

// move changes something about somebody: most often what is known, now and then a group,
// or whether they are there at all.
func (y *years) move(ctx context.Context, rng *rand.Rand, p *moved) error {
	switch n := rng.IntN(10); {
	case n < 6:
		p.number++
		if n == 0 {
			p.department = []string{"A", "B", "C"}[rng.IntN(3)]
		}
		if n < 3 {
			return y.change(ctx, rng, http.MethodPut, "/Users/"+p.id, p.doc())
		}
		return y.patch(ctx, rng, "/Users/"+p.id, op("replace", "displayName", fmt.Sprintf("%s %d", p.key(), p.number)))
	case n < 8:
		p.active = !p.active
		return y.patch(ctx, rng, "/Users/"+p.id, op("replace", "active", p.active))
	}
	g := y.groups[rng.IntN(len(y.groups))]
	if p.projects[g.n] {
		delete(p.projects, g.n)
		return y.patch(ctx, rng, "/Groups/"+g.id, op("remove", `members[value eq "`+p.id+`"]`, nil))
	}
	p.projects[g.n] = true
	return y.patch(ctx, rng, "/Groups/"+g.id, op("add", "members", []any{map[string]any{"value": p.id}}))
}

// live has clients bring everybody in and change half of them, and go on changing some
// until end is closed.
func (y *years) live(ctx context.Context, seed uint64, width int, end <-chan struct{}) (done <-chan error, joined *atomic.Int64) {
	result, joined := make(chan error, 1), &atomic.Int64{}
	for _, g := range y.groups {
		rng := rand.New(rand.NewPCG(seed, 99))
		id, err := y.create(ctx, rng, "/Groups", "displayName+eq+%22"+g.name()+"%22", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name()})
		if err != nil {
			y.t.Fatal(err)
		}
		g.id = id
	}
	var workers sync.WaitGroup
	var failed atomic.Pointer[error]
	for w := range width {
		workers.Go(func() {
			if err := y.client(ctx, rand.New(rand.NewPCG(seed, uint64(w)+100)), w, width, end, joined); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	go func() {
		workers.Wait()
		if err := failed.Load(); err != nil {
			result <- *err
		}
		close(result)
	}()
	return result, joined
}

func (y *years) client(ctx context.Context, rng *rand.Rand, w, width int, end <-chan struct{}, joined *atomic.Int64) error {
	var mine []*moved
	for n := w; n < len(y.people); n += width {
		p := y.people[n]
		if err := y.join(ctx, rng, p); err != nil {
			return err
		}
		joined.Add(1)
		if mine = append(mine, p); n%2 == 0 {
			if err := y.move(ctx, rng, mine[rng.IntN(len(mine))]); err != nil {
				return err
			}
		}
	}
	pace := time.NewTicker(time.Duration(width) * 2500 * time.Microsecond)
	defer pace.Stop()
	for {
		select {
		case <-end:
			return nil
		case <-pace.C:
		}
		if err := y.move(ctx, rng, mine[rng.IntN(len(mine))]); err != nil {
			return err
		}
	}
}

// settled wants what the sources said to be at the applications, and nothing else.
func (y *years) settled() error {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, a := range []*watched{y.all, y.some} {
		state := a.app.State(a.server.URL + app.Prefix)
		byName, byID := map[string]map[string]any{}, map[string]string{}
		for _, u := range state.Users {
			name := text(u, "userName")
			if byName[name] != nil {
				fault("%s: two accounts of %s", a.name, name)
			}
			byName[name], byID[text(u, "id")] = u, name
		}
		members := map[string]map[string]bool{}
		for _, g := range state.Groups {
			name := text(g, "displayName")
			if members[name] != nil {
				fault("%s: two groups %s", a.name, name)
			}
			members[name] = map[string]bool{}
			list, _ := g["members"].([]any)
			for _, m := range list {
				m, _ := m.(map[string]any)
				members[name][byID[text(m, "value")]] = true
			}
		}
		for _, p := range y.people {
			u := byName[p.userName()]
			delete(byName, p.userName())
			due := p.active && (a == y.all || p.department == "A")
			active := u != nil && u["active"] == true
			switch want := fmt.Sprintf("%s %d", p.key(), p.number); {
			case due != active:
				fault("%s: %s is active: %t, want %t", a.name, p.userName(), active, due)
			case due && text(u, "displayName") != want:
				fault("%s: %s is called %q, want %q", a.name, p.userName(), text(u, "displayName"), want)
			}
			if a == y.all && due {
				for _, g := range y.groups {
					if members[g.name()][p.userName()] != p.projects[g.n] {
						fault("%s: %s is in %s: %t", a.name, p.userName(), g.name(), !p.projects[g.n])
					}
				}
			}
		}
		for name := range byName {
			fault("%s: nobody told of %s", a.name, name)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d faults: %s", len(faults), strings.Join(faults[:min(len(faults), 10)], "; "))
	}
	return nil
}

// remembered compares everybody at the hub with what was acknowledged.
func (y *years) remembered(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(1, 1))
	byName := map[string]map[string]any{}
	for start := 1; ; {
		a, _, err := y.say(ctx, rng, http.MethodGet, fmt.Sprintf("/Users?count=500&startIndex=%d", start), nil)
		if err != nil {
			return err
		}
		list, _ := a.doc["Resources"].([]any)
		for _, one := range list {
			u, _ := one.(map[string]any)
			if byName[text(u, "userName")] != nil {
				return fmt.Errorf("%s is there twice", text(u, "userName"))
			}
			byName[text(u, "userName")] = u
		}
		if start += len(list); len(list) == 0 {
			break
		}
	}
	var errs []error
	if len(byName) != len(y.people) {
		errs = append(errs, fmt.Errorf("%d people, acknowledged were %d", len(byName), len(y.people)))
	}
	for _, p := range y.people {
		u := byName[p.userName()]
		if text(u, "displayName") != fmt.Sprintf("%s %d", p.key(), p.number) || u["active"] != p.active || at(u, enterpriseURN+".department") != p.department {
			errs = append(errs, fmt.Errorf("%s: %v, acknowledged was %v", p.userName(), u, p.doc()))
		}
	}
	return errors.Join(errs[:min(len(errs), 10)]...)
}
