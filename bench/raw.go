package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// raw is the floor of the database: plain tables and bare statements, prepared.
type raw struct {
	*database
	db  *sql.DB
	ids []string

	insert, together, byID, byName, update, listed *sql.Stmt
}

func (r *run) newRaw(ctx context.Context, d *database) (*raw, error) {
	db, err := d.raw()
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	f := &raw{database: d, db: db}
	for _, text := range []string{
		"CREATE TABLE raw (id text PRIMARY KEY, user_name text NOT NULL, doc text NOT NULL)",
		"CREATE UNIQUE INDEX raw_name ON raw (user_name)",
		"CREATE TABLE raw_events (id text PRIMARY KEY, data text NOT NULL)",
		"CREATE TABLE raw_audit (id text PRIMARY KEY, data text NOT NULL)",
		"CREATE TABLE raw_marks (id text PRIMARY KEY, at bigint NOT NULL)",
		"CREATE TABLE raw_groups (id text PRIMARY KEY, version bigint NOT NULL)",
		"CREATE TABLE raw_members (group_id text NOT NULL, member_id text NOT NULL, PRIMARY KEY (group_id, member_id))",
		"CREATE TABLE raw_accounts (person text NOT NULL, target text NOT NULL, doc text NOT NULL, PRIMARY KEY (person, target))",
		"INSERT INTO raw_groups VALUES ('g', 1)",
	} {
		if err == nil {
			_, err = db.ExecContext(ctx, text)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("raw tables: %w", err), db.Close())
	}
	return f, f.prepare(ctx)
}

func (f *raw) prepare(ctx context.Context) (err error) {
	one, two, three := f.place(1), f.place(2), f.place(3)
	texts := map[**sql.Stmt]string{
		&f.insert: "INSERT INTO raw (id, user_name, doc) VALUES (" + one + "," + two + "," + three + ")",
		&f.byID:   "SELECT doc FROM raw WHERE id = " + one,
		&f.byName: "SELECT doc FROM raw WHERE user_name = " + one,
		&f.listed: "SELECT id, doc FROM raw WHERE id > " + one + " ORDER BY id LIMIT 100",
		&f.update: "UPDATE raw SET doc = " + two + " WHERE id = " + one,
	}
	if f.pg { // row, event, audit entry and mark as one statement
		texts[&f.together] = `WITH a AS (INSERT INTO raw (id, user_name, doc) VALUES ($1, $2, $3)), b AS (INSERT INTO raw_events VALUES ($1, $4)),
c AS (INSERT INTO raw_audit VALUES ($1, $4)) INSERT INTO raw_marks VALUES ($1, $5)`
		texts[&f.update] = `WITH a AS (UPDATE raw SET doc = $2 WHERE id = $1), b AS (INSERT INTO raw_events VALUES ($3, $2)),
c AS (INSERT INTO raw_audit VALUES ($3, $2)) INSERT INTO raw_marks VALUES ($1, $4) ON CONFLICT (id) DO UPDATE SET at = excluded.at`
	}
	for stmt, text := range texts {
		if err == nil {
			*stmt, err = f.db.PrepareContext(ctx, text) //nolint:sqlclosecheck // for as long as f.db is open
		}
	}
	return err
}

func (f *raw) fill(ctx context.Context, people int) error {
	return f.inTx(ctx, func(tx *sql.Tx) error {
		insert := tx.StmtContext(ctx, f.insert)
		defer insert.Close()
		for n := range int64(people) {
			id := uuid.NewString()
			if _, err := insert.ExecContext(ctx, id, fmt.Sprintf("user%08d@example.com", n+1), string(person(n))); err != nil {
				return err
			}
			f.ids = append(f.ids, id)
		}
		return nil
	})
}

func (f *raw) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// create writes a row with event, audit entry and mark, committed.
func (f *raw) create(ctx context.Context, n int64) error {
	id, name, doc := uuid.NewString(), fmt.Sprintf("raw%08d@example.com", n), string(person(n))
	if f.pg {
		_, err := f.together.ExecContext(ctx, id, name, doc, doc, n)
		return err
	}
	return f.inTx(ctx, func(tx *sql.Tx) error {
		insert := tx.StmtContext(ctx, f.insert)
		defer insert.Close()
		if _, err := insert.ExecContext(ctx, id, name, doc); err != nil {
			return err
		}
		return f.trail(ctx, tx, id, id, doc, n)
	})
}

// change writes a row anew with event, audit entry and mark, committed.
func (f *raw) change(ctx context.Context, n int64) error {
	id, doc, entry := f.ids[int(n)%len(f.ids)], string(person(n)), fmt.Sprintf("change-%d", n)
	if f.pg {
		_, err := f.update.ExecContext(ctx, id, doc, entry, n)
		return err
	}
	return f.inTx(ctx, func(tx *sql.Tx) error {
		update := tx.StmtContext(ctx, f.update)
		defer update.Close()
		if _, err := update.ExecContext(ctx, doc, id); err != nil {
			return err
		}
		return f.trail(ctx, tx, id, entry, doc, n)
	})
}

// trail writes event, audit entry and mark.
func (f *raw) trail(ctx context.Context, tx *sql.Tx, id, entry, doc string, n int64) error {
	for _, text := range []string{"INSERT INTO raw_events VALUES (?,?)", "INSERT INTO raw_audit VALUES (?,?)"} {
		if _, err := tx.ExecContext(ctx, text, entry, doc); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO raw_marks VALUES (?,?) ON CONFLICT (id) DO UPDATE SET at = excluded.at", id, n)
	return err
}

func (f *raw) read(ctx context.Context, n int64) error {
	var doc string
	return f.byID.QueryRowContext(ctx, f.ids[int(n)%len(f.ids)]).Scan(&doc)
}

func (f *raw) find(ctx context.Context, n int64) error {
	var doc string
	return f.byName.QueryRowContext(ctx, fmt.Sprintf("user%08d@example.com", n%int64(len(f.ids))+1)).Scan(&doc)
}

// page reads a hundred rows; where it begins does not matter.
func (f *raw) page(ctx context.Context, n int64) error {
	rows, err := f.listed.QueryContext(ctx, f.ids[int(n)%len(f.ids)][:1])
	return eachRow(rows, err, 2)
}

// addMember inserts a member, raises the version of the group and leaves a trail.
func (f *raw) addMember(ctx context.Context, n int64) error {
	return f.inTx(ctx, func(tx *sql.Tx) error {
		for _, text := range []string{
			"UPDATE raw_groups SET version = version + 1 WHERE id = 'g'",
			fmt.Sprintf("INSERT INTO raw_members VALUES ('g', 'new-%d')", n),
			fmt.Sprintf("INSERT INTO raw_events VALUES ('add-%d', 'x')", n),
			fmt.Sprintf("INSERT INTO raw_audit VALUES ('add-%d', 'x')", n),
			fmt.Sprintf("INSERT INTO raw_marks VALUES ('add-%d', 1)", n),
		} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// people writes what an evaluation leaves of each person, a hundred a transaction: a
// person, their history, an account and a role's reason at each target.
func (f *raw) people(ctx context.Context, first, n int64, targets int) error {
	return f.inTx(ctx, func(tx *sql.Tx) error {
		accounts, err := tx.PrepareContext(ctx, "INSERT INTO raw_accounts VALUES ("+f.place(1)+","+f.place(2)+","+f.place(3)+")")
		if err != nil {
			return err
		}
		defer accounts.Close()
		events, err := tx.PrepareContext(ctx, "INSERT INTO raw_events VALUES ("+f.place(1)+","+f.place(2)+")")
		if err != nil {
			return err
		}
		defer events.Close()
		insert := tx.StmtContext(ctx, f.insert)
		defer insert.Close()
		for p := first; p < first+n; p++ {
			id, doc := fmt.Sprintf("person-%d", p), string(person(p))
			if _, err := insert.ExecContext(ctx, id, id, doc); err != nil {
				return err
			}
			if _, err := events.ExecContext(ctx, id, doc); err != nil {
				return err
			}
			for t := range targets {
				for _, kind := range []string{"account", "grant"} {
					if _, err := accounts.ExecContext(ctx, id, fmt.Sprintf("%s-t%d", kind, t), doc); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// eachRow reads rows of so many columns of text to their end.
func eachRow(rows *sql.Rows, err error, columns int) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	texts, into := make([]string, columns), make([]any, columns)
	for i := range texts {
		into[i] = &texts[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
	}
	return rows.Err()
}
