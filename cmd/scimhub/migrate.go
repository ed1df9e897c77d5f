package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// migrated is what the command says of a database's schema.
type migrated struct {
	From    int `json:"from"`    // schema that was found; 0: none
	Schema  int `json:"schema"`  // schema that is there now
	Program int `json:"program"` // schema that this program needs
}

func migrateCommand() *cobra.Command {
	var path, database string
	var check bool
	var roles store.Roles
	var o output
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up to date, and nothing else",
		Long: `Brings the schema of the hub's database up to date and ends. Where the hub runs with
a role that may not change tables (deploy/postgres/roles.sql), run this before a new
release is started, with the URL of the role that owns them; the roles that are named
are given what they need and nothing else:

  scimhub migrate --database '${env:OWNER_DATABASE}' --runtime-role scimhub --auditor-role scimhub_auditor

With --check nothing is changed: exit code 2 where migrations are missing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := databaseOf(path, database)
			if err != nil {
				return err
			}
			m, err := migrate(cmd.Context(), url, check, roles)
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), m, m.say); err != nil {
				return err
			}
			if m.Schema < m.Program {
				return exitCode{code: exitDiffers}
			}
			return nil
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVarP(&path, "config", "c", "hub.yaml", "configuration file, which names the database")
	cmd.Flags().StringVar(&database, "database", "", "URL of the database instead, or a reference ${env:NAME} to it")
	cmd.Flags().StringVar(&roles.Runtime, "runtime-role", "", "role of PostgreSQL that the hub runs with, to be given what it needs")
	cmd.Flags().StringVar(&roles.Auditor, "auditor-role", "", "role of PostgreSQL for auditors, to be given what it may read")
	cmd.Flags().BoolVar(&check, "check", false, "only say whether migrations are missing")
	return cmd
}

// databaseOf is the URL of the database: the one given, else that of a configuration.
func databaseOf(path, database string) (string, error) {
	if database != "" {
		return model.NewSecret(database).Reveal()
	}
	text, err := readConfig(path)
	if err != nil {
		return "", err
	}
	return configOf(path, text).DatabaseURL()
}

func migrate(ctx context.Context, url string, check bool, roles store.Roles) (m migrated, err error) {
	m.Program = store.SchemaVersion
	if m.From, err = store.Schema(ctx, url); err != nil {
		return m, err
	}
	if m.Schema = m.From; check && m.From <= m.Program {
		return m, nil
	}
	s, err := store.Open(ctx, url, store.Options{MaxConns: 2}) // which refuses a schema that is newer
	if err != nil {
		return m, err
	}
	m.Schema = m.Program
	if roles != (store.Roles{}) {
		err = s.Grant(ctx, roles)
	}
	return m, errors.Join(err, s.Close())
}

func (m migrated) say(w io.Writer) error {
	text := fmt.Sprintf("the database has schema %d: nothing to do", m.Schema)
	switch {
	case m.Schema < m.Program:
		text = fmt.Sprintf("the database has schema %d, this program needs %d: migrations are missing", m.Schema, m.Program)
	case m.Schema != m.From:
		text = fmt.Sprintf("the database was brought from schema %d to %d", m.From, m.Schema)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
