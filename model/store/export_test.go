package store

// Models is every struct that GORM reads or writes, for the check against the
// real columns.
func Models() []any {
	return []any{accountRow{}, auditRow{}, configRow{}, grantRow{}, identityRow{}, targetGroupRow{}}
}

// Statements exposes how a migration is cut into statements.
func Statements(text string) []string { return statements(text) }

// StatementsUpTo lists the statements of all migrations up to a version.
func StatementsUpTo(pg bool, version int) ([]string, error) {
	steps, err := loadMigrations(pg)
	var out []string
	for _, m := range steps {
		if m.version <= version {
			out = append(out, statements(m.text)...)
		}
	}
	return out, err
}

// AnchorDeepPages makes deep pages begin where a test has room for them.
func (s *Store) AnchorDeepPages(every, from int) { s.deep.every, s.deep.from = every, from }

// Anchors counts the anchors that a list has.
func (s *Store) Anchors(source, kind string) int { return len(s.deep.of(source, kind).list) }

// GoByServer has leases go by the server's clock whatever clock the store was given.
func (s *Store) GoByServer() { s.own = false }
