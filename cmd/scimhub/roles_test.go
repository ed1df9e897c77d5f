package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// withDatabase is the URL of another database of a server.
func withDatabase(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the URL cannot be parsed")
	}
	u.Path = "/" + name
	q := u.Query()
	q.Del("search_path")
	u.RawQuery = q.Encode()
	return u.String()
}

// threeRoles runs deploy/postgres/roles.sql in a fresh database, with names of its own, for
// roles are the server's: URLs of the owner, of the hub and of auditors.
func threeRoles(t *testing.T) (owner, runtime, auditor string, roles store.Roles) {
	t.Helper()
	mark := strings.ToLower(rand.Text()[:10])
	super := newDatabase(t, "scimhub_"+mark)
	text, err := os.ReadFile("../../deploy/postgres/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	own := func(s string) string { return "t" + mark + "_" + s }
	sqlText := strings.NewReplacer("scimhub_owner", own("owner"), "scimhub_auditor", own("auditor"), "'scimhub'", "'"+own("hub")+"'", " scimhub;", " "+own("hub")+";").Replace(string(text))
	db := opened(t, super)
	t.Cleanup(func() {
		for _, role := range []string{"owner", "hub", "auditor"} {
			if _, err := db.ExecContext(context.WithoutCancel(t.Context()), fmt.Sprintf(`REASSIGN OWNED BY %[1]s TO CURRENT_USER; DROP OWNED BY %[1]s; DROP ROLE %[1]s`, own(role))); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 { // again is fine
		if _, err := db.ExecContext(t.Context(), sqlText); err != nil {
			t.Fatal(err)
		}
	}
	as := func(role string) string {
		password := rand.Text()
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`ALTER ROLE %s PASSWORD '%s'`, own(role), password)); err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(super)
		u.User = url.UserPassword(own(role), password)
		return u.String()
	}
	return as("owner"), as("hub"), as("auditor"), store.Roles{Runtime: own("hub"), Auditor: own("auditor")}
}

func opened(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", withParam(address, "default_query_exec_mode", "simple_protocol"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func withParam(address, key, value string) string {
	sep := "?"
	if strings.Contains(address, "?") {
		sep = "&"
	}
	return address + sep + key + "=" + value
}

// TestLeastPrivilege: a hub lives its whole life with a role that may change no table, and
// whoever has that role's password can neither do so nor rewrite the audit trail; auditors
// read what is no secret.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	owner, runtime, auditor, roles := threeRoles(t)
	if _, err := store.Open(t.Context(), runtime, store.Options{}); model.CodeOf(err) != model.Conflict || !strings.Contains(err.Error(), "scimhub migrate") {
		t.Fatalf("without migrations: %v", err)
	}
	if m, err := migrate(t.Context(), owner, true, store.Roles{}); err != nil || m.Schema != 0 {
		t.Fatalf("check: %+v %v", m, err)
	}
	for range 2 {
		m, err := migrate(t.Context(), owner, false, roles)
		if err != nil || m.Schema != store.SchemaVersion {
			t.Fatalf("migrate: %+v %v", m, err)
		}
	}
	db := opened(t, owner)
	then := time.Now().Add(-60 * 24 * time.Hour)
	oldTrail(t, runtime, then)
	wholeLife(t, runtime)
	for _, stmt := range []string{
		`CREATE TABLE mine (x int)`, `CREATE TEMP TABLE mine (x int)`, `DROP TABLE identities`, `ALTER TABLE audit ADD COLUMN x int`, `TRUNCATE marks`, `CREATE INDEX mine ON identities (id)`,
		`DELETE FROM audit`, `UPDATE audit SET actor = 'nobody'`, `UPDATE audit SET hash = ''`, `DELETE FROM audit_checkpoints`, `UPDATE audit_checkpoints SET body = ''`,
		`DELETE FROM audit_heads`, `UPDATE config_versions SET body = ''`, `DELETE FROM config_versions`, `DELETE FROM schema_migrations`, `UPDATE schema_migrations SET version = 1`,
		`SELECT scimhub_forget_audit(lane, max(seq)) FROM audit GROUP BY lane`,
		`CREATE OR REPLACE FUNCTION scimhub_forget_audit(of_lane integer, up_to bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'`,
		`CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `COPY identities TO PROGRAM 'cat'`, `COPY identities TO '/tmp/x'`, `SELECT pg_read_file('/etc/passwd')`,
	} {
		refusedSQL(t, runtime, stmt)
	}
	for _, table := range []string{"process_keys", "resource_passwords", "tokens", "sessions", "sign_in_links", "sign_in_states", "idempotency", "resources", "resource_values", "deliveries", "target_credentials"} {
		refusedSQL(t, auditor, `SELECT * FROM `+table)
	}
	refusedSQL(t, auditor, `DELETE FROM marks`)
	refusedSQL(t, auditor, `SELECT hash FROM tokens`)
	refusedSQL(t, auditor, `SELECT body FROM config_versions`)
	for _, query := range []string{`SELECT count(*) FROM audit`, `SELECT count(*) FROM identities`, `SELECT count(name) FROM tokens`, `SELECT count(digest) FROM config_versions`} {
		var n int
		if err := opened(t, auditor).QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Errorf("auditor: %s: %v", query, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO schema_migrations (version, at) VALUES (9999, 0)`); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), runtime, store.Options{}); err == nil || !strings.Contains(err.Error(), "newer scimhub") {
		t.Errorf("a newer schema: %v", err)
	}
}

func refusedSQL(t *testing.T, as, stmt string) {
	t.Helper()
	_, err := opened(t, as).ExecContext(t.Context(), stmt)
	if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "42501" && pg.Code != "25006" {
		t.Errorf("%s: %v", stmt, err)
	}
}

// oldTrail writes entries of long ago and takes them away again.
func oldTrail(t *testing.T, runtime string, then time.Time) {
	t.Helper()
	s, err := store.Open(t.Context(), runtime, store.Options{MaxConns: 2, Now: func() time.Time { return then }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		if err := s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Audit(store.AuditEntry{Actor: "test", Action: "test.old", Object: "nothing"})
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n, _, err := s.PruneAudit(t.Context(), then.Add(time.Second)); err != nil || n == 0 {
		t.Errorf("old entries: %d taken away, %v", n, err)
	}
}

// wholeLife: somebody joins and leaves again and is erased, by a hub with that role.
func wholeLife(t *testing.T, database string) {
	t.Helper()
	a, err := app.New(app.Options{Pace: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	remote := httptest.NewServer(a.Handler())
	t.Cleanup(remote.Close)
	i, log := running(t, fmt.Sprintf(`
listen: 127.0.0.1:0
database: %q
admin: {tokens: [{name: ops, secret: admin-of-roles, role: admin}]}
sources: {hr: {tokens: [{name: main, secret: push-of-roles}]}}
roles: {all: {when: user.active, grants: [{target: git}]}}
targets: {git: {url: %q, auth: {bearer: x}, leaver: {first: delete}}}
`, database, remote.URL+"/scim/v2"))
	created := asked(t, "POST", i.URL+"/scim/v2/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","active":true,"password":"Secret-of-Ada1"}`, "Authorization: Bearer push-of-roles")
	if created.status != 201 {
		t.Fatalf("create: %d %s", created.status, created.body)
	}
	there := func(n int) func() bool {
		return func() bool { return len(a.State("").Users) == n }
	}
	await(t, there(1))
	if gone := asked(t, "DELETE", created.header.Get("Location"), "", "Authorization: Bearer push-of-roles"); gone.status != 204 {
		t.Fatalf("delete: %d %s", gone.status, gone.body)
	}
	await(t, there(0))
	people, err := i.store.KnownAs(t.Context(), "userName", "ada")
	if err != nil || len(people) != 1 {
		t.Fatalf("ada: %v %v", people, err)
	}
	await(t, func() bool { // what was done at the target is noted a moment later
		_, err = i.hub.Erase(t.Context(), hub.Actor{Name: "test"}, people[0].ID, true)
		return err == nil
	})
	if v := asked(t, "GET", i.URL+"/api/v1/audit/verify", "", "Authorization: Bearer admin-of-roles"); v.status != 200 || !strings.Contains(v.body, `"faults":[]`) {
		t.Errorf("verify: %d %s", v.status, v.body)
	}
	if text := log.String(); strings.Contains(text, "level=ERROR") || strings.Contains(text, "permission denied") {
		t.Errorf("the hub's log:\n%s", text)
	}
}
