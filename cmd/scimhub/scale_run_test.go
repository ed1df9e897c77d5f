package main_test

import (
	"bufio"
	"bytes"
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestScale takes a company of SCIMHUB_SCALE people (default 120) and ten applications
// through a life on PostgreSQL: everybody is pushed over HTTP to two replicas, evaluated,
// brought to all applications; a rule that concerns one in a hundred comes into force; all
// applications are read in full; a replica is started anew. At each step it holds what
// the applications have against what they should have, worked out from the number of
// each person alone, and it prints what the step took of time, processors and memory, and
// at the end what the database has grown to.
//
//	SCIMHUB_SCALE=1000000 SCIMHUB_TEST_POSTGRES=postgres://… go test ./cmd/scimhub -run 'TestScale$' -v -timeout 3h
//
// SCIMHUB_SCALE_SHARES=40,30,20,15,10,10,10,8,7 says how many in a hundred are at each of
// the applications but the first, which has everybody.
// SCIMHUB_SCALE_PROFILE=DIR leaves CPU profiles of the first replica there.
func TestScale(t *testing.T) {
	if testing.Short() || storetest.UnderRace {
		t.Skip("what it shows is size")
	}
	people := 120
	if text := os.Getenv("SCIMHUB_SCALE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("SCIMHUB_SCALE must be a number of people: %q", text)
		}
		people = n
	}
	s := newScale(t, people)
	s.phase("push", people, s.push)
	s.phase("evaluate the rest", people, s.evaluated)
	s.phase("sync", s.accounts(), s.sync)
	s.samples()
	s.phase("rule for 1 %: apply", people, s.change)
	s.phase("rule for 1 %: to the end", people/100, s.changed)
	s.phase("sweep of all", s.accounts(), s.sweep)
	s.phase("plan, nothing to do", people, func() { s.wantExit(0, "plan") })
	s.restart()
	s.report()
}

const (
	scaleSites   = 11
	scaleBulk    = 100
	scaleConns   = 8
	scaleSayEach = 20 * time.Second
)

// scaleSharesOf are the shares in percent of the applications t1 to t9; t0 has everybody.
func scaleSharesOf(t *testing.T) (out []int) {
	for text := range strings.SplitSeq(cmp.Or(os.Getenv("SCIMHUB_SCALE_SHARES"), "40,30,20,15,10,10,10,8,7"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 100 {
			t.Fatalf("SCIMHUB_SCALE_SHARES must be percentages: %q", text)
		}
		out = append(out, n)
	}
	return out
}

type scale struct {
	*world
	people   int
	shares   []int
	pilot    bool // the rule for one in a hundred is in force
	db       *sql.DB
	apps     *process
	appBase  string
	replicas []*process
	bases    []string
	meter    *scaleMeter
}

func newScale(t *testing.T, people int) *scale {
	t.Helper()
	database := storetest.URL(t, storetest.Postgres)
	s := &scale{people: people, shares: scaleSharesOf(t), world: &world{t: t, dir: t.TempDir(), database: database}}
	var err error
	if s.db, err = sql.Open("pgx", database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() })
	s.apps = launchProgram(t, programNamed(t, "scimhub-light-apps"), "applications", nil)
	await(t, 20*time.Second, "applications", func() error {
		sc := bufio.NewScanner(strings.NewReader(s.apps.out.String()))
		for sc.Scan() {
			if url, ok := strings.CutPrefix(sc.Text(), "listening on "); ok {
				s.appBase = url
				return nil
			}
		}
		return errors.New("they do not listen yet")
	})
	for n := range 2 {
		s.bases = append(s.bases, fmt.Sprintf("http://127.0.0.1:%d", storetest.Port(t)))
		s.replicas = append(s.replicas, nil)
		s.launchReplica(n)
		s.base = s.bases[0]
	}
	s.meter = newScaleMeter(s)
	return s
}

func (s *scale) configPath(n int) string { return filepath.Join(s.dir, fmt.Sprintf("hub%d.yaml", n)) }

// launchReplica starts a replica and waits until it is ready.
func (s *scale) launchReplica(n int) {
	s.t.Helper()
	if err := os.WriteFile(s.configPath(n), []byte(s.configText(n)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	name, env := "scimhub", append(s.env(), "SCIMHUB_RUNTIME_DIR="+filepath.Join(s.dir, fmt.Sprint("run", n)))
	if dir := os.Getenv("SCIMHUB_SCALE_PROFILE"); dir != "" && n == 0 {
		name, env = "scimhub-profiled", append(env, "SCIMHUB_PPROF=127.0.0.1:16060")
	}
	s.replicas[n] = launchProgram(s.t, programNamed(s.t, name), fmt.Sprint("hub", n), env, "serve", "--config", s.configPath(n))
	s.replicas[n].awaitReady(s.t, s.bases[n])
}

func (s *scale) configText(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `listen: %s
database: "${env:E2E_DATABASE}"
admin: {tokens: [{name: ops, secret: "${env:E2E_ADMIN_TOKEN}", role: admin}]}
sources:
  hr: {tokens: [{name: main, secret: "${env:E2E_HR_TOKEN}"}], guard: {leavers: 100%%, floor: 1000000}}
roles:
  employee: {when: user.active, grants: [{target: t0}]}
`, strings.TrimPrefix(s.bases[n], "http://"))
	for k, share := range s.shares {
		var list []string
		for d := range 100 {
			if (d+37*k)%100 < share {
				list = append(list, strconv.Quote(scaleDepartment(d)))
			}
		}
		fmt.Fprintf(&b, "  r%d: {when: 'user.enterprise.department in [%s]', grants: [{target: t%d, group: team%d}]}\n", k+1, strings.Join(list, ", "), k+1, k+1)
	}
	for n := range scaleSites {
		fmt.Fprintf(&b, "  site%d: {when: 'user.enterprise.division == \"Site %d\"', grants: [{target: t0, group: site%d}]}\n", n, n, n)
	}
	if s.pilot {
		b.WriteString("  pilot: {when: 'user.title == \"Title 7\"', grants: [{target: t0, group: pilot}]}\n")
	}
	b.WriteString("targets:\n")
	for k := range len(s.shares) + 1 {
		fmt.Fprintf(&b, "  t%d: {url: %s/t%d/scim/v2, auth: {bearer: \"${env:E2E_APP_TOKEN}\"}, guard: {removals: 100%%, floor: 1000000}, drift: {every: 240h}}\n", k, s.appBase, k)
	}
	return b.String()
}

func scaleDepartment(d int) string { return fmt.Sprint("Department ", d) }

func (s *scale) member(n, k int) bool { return (n%100+37*(k-1))%100 < s.shares[k-1] }

// expected is how many accounts and members each application should have, by
// target and target/group.
func (s *scale) expected() map[string]int {
	want := map[string]int{"t0": s.people}
	for n := range s.people {
		for k := range s.shares {
			if s.member(n, k+1) {
				want[fmt.Sprint("t", k+1)]++
				want[fmt.Sprintf("t%d/team%d", k+1, k+1)]++
			}
		}
		want[fmt.Sprint("t0/site", n%scaleSites)]++
		if s.pilot && n/100%100 == 7 {
			want["t0/pilot"]++
		}
	}
	return want
}

func (s *scale) accounts() (n int) {
	for name, count := range s.expected() {
		if !strings.Contains(name, "/") {
			n += count
		}
	}
	return n
}

func scaleName(n int) string { return fmt.Sprintf("p%08d@example.com", n) }

func scaleBody(b *bytes.Buffer, from, to int) {
	b.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`)
	for n := from; n < to; n++ {
		if n > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, `{"method":"POST","path":"/Users","bulkId":"b%d","data":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":%q,"externalId":"E%08d","name":{"givenName":"Given%d","familyName":"Family%d"},"displayName":"Given%d Family%d","title":"Title %d","active":true,"emails":[{"value":%q,"type":"work","primary":true}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"%d","department":%q,"division":"Site %d","costCenter":"CC%d"}}}`,
			n, scaleName(n), n, n, n, n, n, n/100%100, scaleName(n), n, scaleDepartment(n%100), n%scaleSites, n%500)
	}
	b.WriteString(`]}`)
}

// push loads everybody by /Bulk over several connections, to both replicas.
func (s *scale) push() {
	var work errgroup.Group
	work.SetLimit(scaleConns)
	for from := 0; from < s.people; from += scaleBulk {
		base := s.bases[from/scaleBulk%len(s.bases)]
		if from%50_000 == 0 && from > 0 {
			s.t.Logf("%s pushed: %d", time.Since(s.meter.began).Round(time.Second), from)
		}
		work.Go(func() error {
			var body bytes.Buffer
			scaleBody(&body, from, min(from+scaleBulk, s.people))
			return s.bulk(base, &body)
		})
	}
	if err := work.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scale) bulk(base string, body *bytes.Buffer) error {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, base+"/scim/v2/Bulk", body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+hrToken)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := s.meter.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(res.Body); err != nil {
		return err
	}
	created := bytes.Count(answer.Bytes(), []byte(`"status":"201"`))
	if want := bytes.Count(answer.Bytes(), []byte(`"bulkId"`)); res.StatusCode != http.StatusOK || created == 0 || created != want {
		return fmt.Errorf("bulk: %s, %d of %d created: %.500s", res.Status, created, want, answer.Bytes())
	}
	return nil
}

func (s *scale) number(query string) (n int) {
	s.t.Helper()
	if err := s.db.QueryRowContext(s.t.Context(), query).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// until waits, without a limit but that of the test run, and says now and then how far it
// is: more tells, which may cost something.
func (s *scale) until(what string, check func() error, more func() string) {
	s.t.Helper()
	pause := 50 * time.Millisecond
	if s.people > 10_000 {
		pause = time.Second
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for said := time.Now(); ; {
		err := check()
		if err == nil {
			return
		}
		if time.Since(said) > scaleSayEach {
			said = time.Now()
			s.t.Logf("%s %s: %v %s", time.Since(s.meter.began).Round(time.Second), what, err, more())
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

func nothingMore() string { return "" }

func (s *scale) evaluated() {
	s.until("everybody is evaluated", func() error {
		if s.number(`SELECT count(*) FROM (SELECT 1 FROM marks LIMIT 1) m`) > 0 {
			return errors.New("there are marks")
		}
		return nil
	}, func() string { return fmt.Sprintf("%d of them", s.number(`SELECT count(*) FROM marks`)) })
}

// appCounts is what /_state of the applications says, as expected says it.
func (s *scale) appCounts() (map[string]int, error) {
	var state map[string]struct {
		Users  int            `json:"users"`
		Groups map[string]int `json:"groups"`
	}
	if err := getJSON(s.t.Context(), s.appBase+"/_state", "", &state); err != nil {
		return nil, err
	}
	have := map[string]int{}
	for name, a := range state {
		have[name] = a.Users
		for group, n := range a.Groups {
			have[name+"/"+group] = n
		}
	}
	return have, nil
}

func (s *scale) sync() {
	want := s.expected()
	s.until("all applications are right", func() error {
		have, err := s.appCounts()
		if err != nil {
			return err
		}
		missing, some := 0, ""
		for name, n := range want {
			if have[name] != n {
				missing += n - have[name]
				some = fmt.Sprintf("%s has %d of %d", name, have[name], n)
			}
		}
		if some != "" {
			return fmt.Errorf("%d entries are missing; %s", missing, some)
		}
		return nil
	}, nothingMore)
	s.until("nothing is due", func() error {
		if n := s.number(`SELECT count(*) FROM (SELECT 1 FROM accounts WHERE due LIMIT 100) a`); n > 0 {
			return fmt.Errorf("%d accounts or more are due", n)
		}
		return nil
	}, nothingMore)
	for name, n := range must(s.appCounts()) {
		if _, ok := want[name]; !ok && n > 0 {
			s.t.Errorf("nobody asked for %s", name)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// samples looks at some people in each application, attribute by attribute.
func (s *scale) samples() {
	for i := range min(s.people, 50) {
		n := i * (s.people / min(s.people, 50))
		for k := range len(s.shares) + 1 {
			var page struct {
				Resources []struct {
					UserName   string `json:"userName"`
					ExternalID string `json:"externalId"`
					Active     bool   `json:"active"`
					Title      string `json:"title"`
				} `json:"Resources"` //nolint:tagliatelle // as RFC 7644 spells it
			}
			url := fmt.Sprintf("%s/t%d/scim/v2/Users?filter=userName+eq+%%22%s%%22", s.appBase, k, scaleName(n))
			if err := getJSON(s.t.Context(), url, appToken, &page); err != nil {
				s.t.Fatal(err)
			}
			want := k == 0 || s.member(n, k)
			switch {
			case want != (len(page.Resources) == 1):
				s.t.Errorf("%s at t%d: %d accounts", scaleName(n), k, len(page.Resources))
			case want && (!page.Resources[0].Active || page.Resources[0].Title != fmt.Sprint("Title ", n/100%100)):
				s.t.Errorf("%s at t%d: %+v", scaleName(n), k, page.Resources[0])
			}
		}
	}
}

func (s *scale) change() {
	s.pilot = true
	if err := os.WriteFile(s.configPath(0), []byte(s.configText(0)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.wantExit(0, "apply", "--config", s.configPath(0), "--yes")
}

func (s *scale) changed() {
	s.sync()
	s.until("everybody was looked at", func() error {
		if n := s.number(`SELECT count(*) FROM sweeps`); n > 0 {
			return errors.New("the evaluation goes on")
		}
		return nil
	}, nothingMore)
}

// sweep reads all applications in full, side by side, and finds no difference.
func (s *scale) sweep() {
	before := map[string]time.Time{}
	type view struct {
		Ended *time.Time `json:"ended"`
		Total int        `json:"total"`
		Known int        `json:"checked"`
	}
	for k := range len(s.shares) + 1 {
		name := fmt.Sprint("t", k)
		var v view
		if err := getJSON(s.t.Context(), s.base+"/api/v1/targets/"+name+"/drift", adminToken, &v); err != nil {
			s.t.Fatal(err)
		}
		if v.Ended != nil {
			before[name] = *v.Ended
		}
		req, _ := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+"/api/v1/targets/"+name+"/drift", nil)
		req.Header.Set("Authorization", "Bearer "+adminToken)
		res, err := plainHTTP.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			s.t.Fatalf("ask for a sweep of %s: %v %v", name, res, err)
		}
		_ = res.Body.Close()
	}
	want := s.expected()
	for k := range len(s.shares) + 1 {
		name := fmt.Sprint("t", k)
		s.until("sweep of "+name, func() error {
			var v view
			err := getJSON(s.t.Context(), s.base+"/api/v1/targets/"+name+"/drift", adminToken, &v)
			switch {
			case err != nil:
				return err
			case v.Ended == nil || !v.Ended.After(before[name]):
				return errors.New("it has not ended")
			case v.Total != 0 || v.Known != want[name]:
				s.t.Errorf("the sweep of %s read %d of %d accounts and found %d differences", name, v.Known, want[name], v.Total)
			}
			return nil
		}, nothingMore)
	}
}

// restart measures from the start of a process to its being ready.
func (s *scale) restart() {
	s.replicas[0].stop(s.t)
	began := time.Now()
	s.launchReplica(0)
	s.meter.note("start to ready", time.Since(began).Round(time.Millisecond).String())
}
