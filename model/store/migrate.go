package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/scimhub/scimhub/model"
)

//go:embed migrations
var migrations embed.FS

// SchemaVersion is the newest schema this program knows.
const SchemaVersion = 31

type migration struct {
	version int
	text    string
}

// migrate runs the missing migrations, each in a transaction of its own, under a
// lock so that several replicas may start at once. A schema newer than this
// program knows is refused: an older program must not write to it.
func (s *Store) migrate(ctx context.Context) error {
	have, err := s.schema(ctx)
	if err == nil && have == SchemaVersion { // as at every start but the first of a release
		return nil
	} // where it cannot be read the migrations find out why
	all, err := loadMigrations(s.pg)
	if err != nil {
		return err
	}
	for _, m := range all {
		for _, part := range m.parts(s.pg && have > 0) {
			err := s.patiently(ctx, func() error {
				return s.write.WithContext(ctx).Transaction(func(db *gorm.DB) error {
					return s.step(&Tx{ctx: ctx, db: db, pg: s.pg, Now: s.Now()}, part)
				})
			})
			if err != nil {
				if err = s.mayNotMigrate(ctx, err); errors.As(err, new(*model.Error)) {
					return err
				}
				left := "nothing changed"
				if len(part.statements) < len(statements(m.text)) {
					left = "it goes on where it was at the next start"
				}
				return model.Fail(model.Unavailable, fmt.Sprintf("migration %04d failed, %s", m.version, left), err)
			}
		}
	}
	return nil
}

// oneByOne is the first version whose statements each have a transaction of their own
// where replicas of the release before may be at work: one that held the lock of a table
// and waited for another's would wait for those who wait for it, over and over. Such
// statements may be carried out twice.
const oneByOne = 27

// part is what one transaction does of a migration.
type part struct {
	version    int
	statements []string
	last       bool // it notes the version
}

func (m migration) whole() part { return part{m.version, statements(m.text), true} }

func (m migration) parts(others bool) (out []part) {
	if !others || m.version < oneByOne {
		return []part{m.whole()}
	}
	all := statements(m.text)
	for i, one := range all {
		out = append(out, part{m.version, []string{one}, i == len(all)-1})
	}
	return out
}

// How a migration gets its locks while replicas of the release before work: it waits for
// no longer than they may stand behind it, and comes again.
const (
	migrationLock  = "2s"
	migrationTries = 60
	migrationPause = 250 * time.Millisecond
)

// patiently runs one migration again where it met replicas at work: in a deadlock, or
// behind a transaction of theirs that took long.
func (s *Store) patiently(ctx context.Context, step func() error) error {
	err := step()
	for range migrationTries {
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || !retryable(err) && pg.Code != "55P03" {
			return err
		}
		wait(ctx, migrationPause)
		err = step()
	}
	return err
}

func (s *Store) step(tx *Tx, m part) error {
	if s.pg {
		if _, err := tx.exec(`SELECT pg_advisory_xact_lock(7266223011)`); err != nil {
			return err
		}
		if _, err := tx.exec(`SELECT set_config('lock_timeout', ?, true)`, migrationLock); err != nil { // not for the lock above
			return err
		}
	}
	if _, err := tx.exec(`CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, at bigint NOT NULL)`); err != nil {
		return err
	}
	var have int
	if err := tx.row(`SELECT coalesce(max(version), 0) FROM schema_migrations`).Scan(&have); err != nil {
		return err
	}
	if have > SchemaVersion {
		return tooNew(have)
	}
	if have >= m.version {
		return nil
	}
	for _, stmt := range m.statements {
		if _, err := tx.exec(stmt); err != nil {
			return fmt.Errorf("%.60s…: %w", stmt, err)
		}
	}
	if !m.last {
		return nil
	}
	_, err := tx.exec(`INSERT INTO schema_migrations (version, at) VALUES (?, ?)`, m.version, micros(tx.Now))
	return err
}

func loadMigrations(pg bool) ([]migration, error) {
	dir := "migrations/sqlite"
	if pg {
		dir = "migrations/postgres"
	}
	entries, err := fs.ReadDir(migrations, dir)
	if err != nil {
		return nil, err
	}
	var out []migration
	for _, e := range entries {
		text, err := fs.ReadFile(migrations, dir+"/"+e.Name())
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(e.Name(), "_")
		v, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", e.Name(), err)
		}
		out = append(out, migration{version: v, text: string(text)})
	}
	return out, nil
}

// statements cuts a migration at the semicolons that end a line; comment lines go.
func statements(text string) []string {
	var out []string
	var b strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "--") || trimmed == "" {
			continue
		}
		if before, _, found := strings.Cut(line, " --"); found {
			line = before + "\n"
			trimmed = strings.TrimSpace(before)
		}
		b.WriteString(line)
		if strings.HasSuffix(trimmed, ";") {
			out = append(out, b.String())
			b.Reset()
		}
	}
	if rest := strings.TrimSpace(b.String()); rest != "" {
		out = append(out, rest)
	}
	return out
}
