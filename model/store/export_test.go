package store

// Models is every struct that GORM reads or writes, for the check against the
// real columns.
func Models() []any {
	return []any{accountRow{}, auditRow{}, configRow{}, grantRow{}, identityRow{}, targetGroupRow{}}
}

// Statements exposes how a migration is cut into statements.
func Statements(text string) []string { return statements(text) }
