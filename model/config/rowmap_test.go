package config_test

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/config"
)

func TestParseRowMap(t *testing.T) {
	t.Parallel()
	m, faults := config.ParseRowMap("map.yaml", []byte(`
key: userName
skip: row.x == "y"
date: [02.01.2006, "2 Jan 2006"]
manager: {column: boss}
columns:
  userName: row.login
  active: true
`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if m.Key != "userName" || m.Skip == "" || len(m.Dates) != 2 || m.Manager != (config.RowManager{Column: "boss", By: "externalId"}) ||
		len(m.Columns) != 2 || m.Columns[1] != (config.RowColumn{Path: "active", Value: "true"}) {
		t.Errorf("map: %+v", m)
	}
	if f := m.FaultIn("columns.userName", 1, 4, "x"); f.Line != 7 || f.Column != 17 {
		t.Errorf("a place in an expression: %v", f)
	}
	for text, want := range map[string]string{
		"":                        "columns is required",
		"columns: []":             "columns: must be a mapping",
		"columns: {}":             "needs at least one attribute",
		"columns: {'a b': row.x}": "not a SCIM attribute path",
		"columns: {userName: row.x, USERNAME: row.y}":                    "USERNAME is there twice",
		"columns: {userName: [1]}":                                       "must be text",
		"columns: {userName: row.x}\nkey: id":                            "map.yaml:2:6: key:",
		"columns: {userName: row.x}\nmanager: {by: externalId}":          "column is required",
		"columns: {userName: row.x}\nmanager: {column: a, by: nickName}": "must be one of externalId, userName",
		"columns: {userName: row.x}\ndate: 01.2006":                      "date: ",
		"columns: {userName: row.x}\ndat: x":                             `did you mean "date"`,
		"columns: {userName: row.x":                                      "not YAML",
	} {
		_, faults := config.ParseRowMap("map.yaml", []byte(text))
		if len(faults) == 0 || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%q: %v, want %q", text, faults, want)
		}
	}
}

// FuzzParseRowMap: no text ends the process, and what has no fault has columns.
func FuzzParseRowMap(f *testing.F) {
	f.Add("columns: {userName: row.x}\nskip: row.y == \"\"\n")
	f.Add("key: externalId\ndate: 02.01.2006\nmanager: {column: b, by: userName}\ncolumns:\n  'emails[type eq \"work\"].value': |\n    row.m\n")
	f.Add("columns: &a {x: *a}")
	f.Fuzz(func(t *testing.T, text string) {
		m, faults := config.ParseRowMap("m", []byte(text))
		if len(faults) == 0 && len(m.Columns) == 0 {
			t.Fatalf("%q has neither faults nor columns", text)
		}
		for _, f := range faults {
			if f.Line < 1 || f.Column < 1 {
				t.Fatalf("fault %v", f)
			}
		}
	})
}
