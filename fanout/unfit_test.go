package fanout

import (
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model"
)

// What an application cannot take is held for that account alone, and with an account
// that is there for that attribute alone; nobody stays switched on because of it.
func TestUnfitIsHeld(t *testing.T) {
	t.Parallel()
	p := with(t, func(p *Profile) {
		p.Limits = map[string]model.AttrLimit{"userName": {Len: 6}, "title": {Required: true}, "emails.value": {Charset: "%"}, "nickName": {Len: 2}}
	})
	target := model.Target{Name: "shop", Mode: model.ModeEnforce, Adopt: "match"}
	account := func(name string, active bool, attrs map[string]any) *model.Account {
		return &model.Account{UserName: name, Active: active, Attrs: attrs}
	}
	const mail = `emails[type eq "work"].value`
	rows := []model.AccountRow{
		{Identity: "1", Desired: account("anna", true, map[string]any{"title": "x", "nickName": "long"}), Owned: ""},
		{Identity: "2", Desired: account("benjamin", true, map[string]any{"title": "x"})},
		{Identity: "3", Desired: account("cleo", true, nil)},
		{Identity: "4", RemoteID: "r4", Owned: model.OwnedCreated, Desired: account("dora", true, map[string]any{mail: "d%x", "nickName": "d"}),
			Applied: account("dora", true, map[string]any{mail: "d@x"})},
		{Identity: "5", RemoteID: "r5", Owned: model.OwnedCreated, Desired: account("eve-marie", false, map[string]any{"title": "x"}),
			Applied: account("eve", true, map[string]any{"title": "x"})},
		{Identity: "6", RemoteID: "r6", Owned: model.OwnedCreated, Applied: account("farquhar", true, nil)},
	}
	var got []string
	for _, c := range Diff(target, p, rows, noon).Changes {
		line := string(c.Verb) + " " + c.Identity
		for _, f := range c.Fields {
			line += " " + f.Path
		}
		if c.Identity == "1" && !slices.ContainsFunc(c.Because, func(b string) bool { return strings.HasPrefix(b, "nickName is left out") }) {
			t.Errorf("nothing says what is left out: %v", c.Because)
		}
		if c.Held != "" {
			line += " HELD " + c.Held
		}
		got = append(got, line)
	}
	want := []string{
		"disable 5", "disable 6",
		"create 1 active userName title",
		"create 2 active userName title HELD userName has 8 characters, the application takes 6",
		"create 3 active userName HELD title is missing, which the application demands",
		"update 4 nickName",
		"update 4 " + mail + ` HELD ` + mail + ` holds '%', which the application refuses`,
		"update 5 userName HELD userName has 9 characters, the application takes 6",
	}
	for _, w := range want {
		found := false
		for _, g := range got {
			found = found || strings.HasPrefix(g, w)
		}
		if !found {
			t.Errorf("no %q", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d changes, want %d", len(got), len(want))
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
}
