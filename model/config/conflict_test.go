package config_test

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/config"
)

func TestConflictFaults(t *testing.T) {
	t.Parallel()
	const roles = `
database: sqlite:x.db
targets: {chat: {url: http://127.0.0.1:1}}
roles:
  a: {when: user.active, grants: [{target: chat}]}
  b: {when: user.active, grants: [{target: chat}]}
  over: {when: user.active, inherits: [between]}
  between: {inherits: [a]}
  both: {when: user.active, inherits: [over, b]}
conflicts: `
	for text, want := range map[string]struct{ fault, warning string }{
		`[{roles: [a, a, b]}]`:                        {fault: `there is a role "a" already`},
		`[{roles: [b, over]}, {roles: [b, over]}]`:    {fault: `there is a conflict "b and over" already`},
		`[{roles: [a, over]}]`:                        {fault: "role over includes a: whoever holds the one holds both"},
		`[{roles: [a, over], action: report}]`:        {warning: "role over includes a"},
		`[{roles: [a, b]}]`:                           {warning: "role both includes a and b, which nobody may hold together: whoever holds it gets a alone"},
		`[{roles: [a, b], action: report}]`:           {},
		`[{name: x, roles: [between, b, a]}]`:         {fault: "role between includes a"},
		`[{name: x, roles: [b]}]`:                     {fault: "needs at least two roles"},
		`[{roles: [a, nobody], approve: [nonsense]}]`: {fault: `there is no role "nobody"`},
	} {
		doc, faults := config.Parse("hub.yaml", []byte(roles+text+"\n"))
		said := func(list []config.Fault) (out string) {
			for _, f := range list {
				if strings.Contains(f.Message, "role") || strings.Contains(f.Message, "conflict") {
					out += f.Error() + "\n"
				}
			}
			return out
		}
		for what, got := range map[string][2]string{"faults": {said(faults), want.fault}, "warnings": {said(doc.Warnings), want.warning}} {
			if what == "warnings" && want.fault != "" {
				continue
			}
			if (got[0] != "") != (got[1] != "") || !strings.Contains(got[0], got[1]) {
				t.Errorf("%s: %s are %q, want %q", text, what, got[0], got[1])
			}
		}
	}
}
