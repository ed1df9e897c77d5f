package storetest

import (
	"database/sql"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUsedAgain shows what a schema that is used again looks like to the next test:
// as a new one does; and that one which was changed is not used again.
func TestUsedAgain(t *testing.T) {
	t.Setenv("SCIMHUB_TEST_POSTGRES_SCRATCH", "1")
	server := postgresURL(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()

	everything := func(p *pooled) string {
		text, err := p.resetting(t.Context(), admin) // names all that is there
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	p, err := newPooled(t, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := dropSchema(t.Context(), server, p.name); err != nil {
			t.Error(err)
		}
	}()
	fresh := everything(p)
	run := func(text string) {
		t.Helper()
		if _, err := admin.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	again := func(why string, want int) {
		t.Helper()
		if got, err := p.clean(t.Context(), server); err != nil || got != want {
			t.Errorf("%s: state %v (%v), want %v", why, got, err, want)
		}
	}

	run(`INSERT INTO ` + p.name + `.releases (target, digest, by_whom, at) VALUES ('t', 'd', 'me', 1)`)
	run(`UPDATE ` + p.name + `.audit_heads SET seq = 7`)
	again("rows written and changed", asNew)
	if diff := cmp.Diff(fresh, everything(p)); diff != "" {
		t.Errorf("after cleaning (-new +again):\n%s", diff)
	}

	run(`CREATE INDEX more ON ` + p.name + `.releases (at)`)
	again("an index more", worn)
	run(`DROP INDEX ` + p.name + `.more`)
	again("as before", asNew)
	run(`ANALYZE ` + p.name + `.releases`)
	again("statistics gathered", worn)
}

// TestNotWhileConnected: who is still connected could write into the next test.
func TestNotWhileConnected(t *testing.T) {
	t.Setenv("SCIMHUB_TEST_POSTGRES_SCRATCH", "1")
	server := postgresURL(t)
	p, err := newPooled(t, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := dropSchema(t.Context(), server, p.name); err != nil {
			t.Error(err)
		}
	}()
	db, err := sql.Open("pgx", withParam(t, server, "application_name", p.name))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state, err := p.clean(t.Context(), server); state != inUse || err != nil {
		t.Errorf("state %v (%v) while somebody is connected", state, err)
	}
}
