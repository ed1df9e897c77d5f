package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/store"
)

// firstAdditive begins the names of the migrations after the release 0.1.0, from which
// replicas are replaced one by one: the program before goes on for a while on the next
// schema.
const firstAdditive = "0027"

// breaksFormer says what of a statement a program of the release before would trip over;
// empty: nothing. New tables, new columns that may be left out, and indexes that refuse
// nothing are all it need not know of.
func breaksFormer(statement string) string {
	s := " " + strings.ToUpper(strings.Join(strings.Fields(statement), " ")) + " "
	for _, rule := range []struct{ pattern, why string }{
		{` DROP TABLE | DROP COLUMN | TRUNCATE `, "takes away what the program before reads"},
		{` RENAME `, "renames what the program before reads"},
		{` ALTER COLUMN \S+ (SET DATA )?TYPE | ALTER COLUMN \S+ SET NOT NULL | DROP DEFAULT `, "changes a column that the program before writes"},
		{` CREATE UNIQUE INDEX | ADD (CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY) `, "refuses what the program before may write"},
		{` CREATE (OR REPLACE )?(CONSTRAINT )?TRIGGER | CREATE (OR REPLACE )?RULE `, "changes what the writes of the program before do"},
	} {
		if regexp.MustCompile(rule.pattern).MatchString(s) && !newTable.MatchString(s) {
			return rule.why
		}
	}
	if strings.Contains(s, " ADD COLUMN ") && strings.Contains(s, " NOT NULL") && !strings.Contains(s, " DEFAULT ") {
		return "adds a column that the program before does not fill"
	}
	return ""
}

var newTable = regexp.MustCompile(`^ CREATE TABLE `)

// TestMigrationsAreAdditive: a migration adds; what it makes superfluous goes a release
// later, when no program that reads it runs any more.
func TestMigrationsAreAdditive(t *testing.T) {
	t.Parallel()
	for statement, breaks := range map[string]bool{
		`CREATE TABLE a (id text PRIMARY KEY, b text NOT NULL)`: false,
		`CREATE INDEX a_b ON a (b)`:                             false,
		`ALTER TABLE a ADD COLUMN c bigint`:                     false,
		`ALTER TABLE a ADD COLUMN c bigint NOT NULL DEFAULT 0`:  false,
		`INSERT INTO a VALUES ('x', 'y')`:                       false,
		`ALTER TABLE a ADD COLUMN c bigint NOT NULL`:            true,
		"alter table a\n  drop column b":                        true,
		`ALTER TABLE a RENAME COLUMN b TO c`:                    true,
		`ALTER TABLE a RENAME TO b`:                             true,
		`ALTER TABLE a ALTER COLUMN b SET NOT NULL`:             true,
		`ALTER TABLE a ALTER COLUMN b TYPE bigint`:              true,
		`CREATE UNIQUE INDEX a_b ON a (b)`:                      true,
		`ALTER TABLE a ADD CONSTRAINT b CHECK (c > 0)`:          true,
		`DROP TABLE a`: true,
		`CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT 1; END`: true,
	} {
		if why := breaksFormer(statement); (why != "") != breaks {
			t.Errorf("%s: breaks the program before: %q", statement, why)
		}
	}
	files, err := filepath.Glob("migrations/*/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name < firstAdditive {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		created := map[string]bool{}
		for _, statement := range store.Statements(string(text)) {
			words := strings.Fields(statement)
			if len(words) > 2 && strings.EqualFold(words[0]+words[1], "CREATETABLE") {
				created[strings.Trim(words[2], "(")] = true
			}
			if why := breaksFormer(statement); why != "" && !onNewTable(statement, created) {
				t.Errorf("%s: %s: %s", file, why, statement)
			}
		}
	}
}

// onNewTable reports whether a statement is about a table that the same migration makes.
func onNewTable(statement string, created map[string]bool) bool {
	for _, word := range strings.FieldsFunc(statement, func(r rune) bool { return strings.ContainsRune(" \n\t(),;", r) }) {
		if created[word] {
			return true
		}
	}
	return false
}
