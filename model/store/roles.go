package store

import (
	"context"
	_ "embed" // roles.sql
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/scimhub/scimhub/model"
)

//go:embed roles.sql
var rolesSQL string

// Roles are the roles of PostgreSQL that use what another one owns. Empty ones are left
// out.
type Roles struct {
	Runtime string // the hub's own: reads and writes rows, changes no table, removes no young audit entry
	Auditor string // people's: reads what is no secret
}

var roleName = regexp.MustCompile(`^[a-z_][a-z0-9_$-]{0,62}$`)

// Grant gives roles what they may do, and takes from them what they may not, in one
// transaction. The store must be open as the role that owns the tables. Again and again is
// fine.
func (s *Store) Grant(ctx context.Context, r Roles) error {
	if !s.pg {
		return model.Fail(model.Invalid, "roles are of PostgreSQL; SQLite has the file's owner and mode", nil)
	}
	for _, name := range []string{r.Runtime, r.Auditor} {
		if name != "" && !roleName.MatchString(name) {
			return model.Fail(model.Invalid, fmt.Sprintf("role %q: write a name of small letters, figures, _ and -", name), nil)
		}
	}
	err := s.write.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		tx := &Tx{ctx: ctx, db: db, pg: s.pg, Now: s.Now()}
		var schema string
		if err := tx.row(`SELECT quote_ident(current_schema())`).Scan(&schema); err != nil {
			return err
		}
		for _, stmt := range grantStatements(rolesSQL, schema, r) {
			if _, err := tx.db.Statement.ConnPool.ExecContext(ctx, stmt); err != nil {
				return fmt.Errorf("%.60s…: %w", stmt, err)
			}
		}
		return nil
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return model.Fail(model.Invalid, "the roles were given nothing: they must exist already, and the tables belong to the role of this URL (deploy/postgres/roles.sql)", pg)
	}
	return reachable(err)
}

// grantStatements cuts the text at semicolons that end a line, bodies of functions aside,
// and leaves out the sections of roles that are not there.
func grantStatements(text, schema string, r Roles) (out []string) {
	quoted := strings.NewReplacer("{schema}", schema, "{runtime}", `"`+r.Runtime+`"`, "{auditor}", `"`+r.Auditor+`"`)
	named := map[string]string{"-- runtime": r.Runtime, "-- auditor": r.Auditor}
	var b strings.Builder
	left, body := false, false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if name, section := named[trimmed]; section {
			left = name == ""
		}
		if left || !body && (trimmed == "" || strings.HasPrefix(trimmed, "--")) {
			continue
		}
		b.WriteString(line)
		if strings.Count(line, "$$")%2 == 1 {
			body = !body
		}
		if !body && strings.HasSuffix(trimmed, ";") {
			out = append(out, quoted.Replace(b.String()))
			b.Reset()
		}
	}
	return out
}

// forgetAudit removes the beginning of a lane: itself, or, as a role that may not, by the
// function that its owner made for that.
func (t *Tx) forgetAudit(lane int, upTo int64) (n int64, err error) {
	own := true
	if t.pg {
		if err := t.row(`SELECT has_table_privilege('audit', 'DELETE')`).Scan(&own); err != nil {
			return 0, err
		}
	}
	if own {
		return t.exec(`DELETE FROM audit WHERE lane = ? AND seq <= ?`, lane, upTo)
	}
	err = t.row(`SELECT scimhub_forget_audit(?, ?)`, lane, upTo).Scan(&n)
	return n, err
}
