package hub_test

import (
	"slices"
	"testing"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

func TestLinking(t *testing.T) {
	t.Parallel()
	work := func(address string) []any {
		return []any{map[string]any{"type": "home", "value": "h@x"}, map[string]any{"type": "Work", "value": address}}
	}
	each(t, twoSources, func(w *world) {
		user := func(source, name string, pairs ...any) string {
			attrs := map[string]any{"schemas": []any{scim.URNUser}, "userName": name, "active": true}
			for i := 0; i < len(pairs); i += 2 {
				attrs[pairs[i].(string)] = pairs[i+1]
			}
			return w.identityOf(w.create(source, w.user, attrs).ID)
		}
		ada := user("hr", "Ada@x", "title", "Engineer", "externalId", "E1")
		if got := user("okta", "ADA@X", "title", "from okta", "nickName", "al"); got != ada {
			w.t.Error("not linked by userName in other letters")
		}
		if got := user("third", "something else", "externalId", "E1"); got != ada {
			w.t.Error("not linked by externalId")
		}
		if got := user("third", "Ada.Third", "externalId", "e1"); got == ada {
			w.t.Error("linked by an externalId in other letters: they are case exact")
		}
		bob := user("hr", "bob", "emails", work("Bob@Work.example"))
		if got := user("okta", "robert", "emails", work("bob@work.example")); got != bob {
			w.t.Error("not linked by work address")
		}
		if got := user("third", "h", "emails", []any{map[string]any{"type": "home", "value": "bob@work.example"}}); got == bob {
			w.t.Error("linked by a home address")
		}
		// Two people have the address: a person decides.
		one, two := user("hr", "t1", "emails", work("shared@x")), user("hr", "t2", "emails", work("shared@x"))
		if one == two {
			w.t.Error("two users of one source became one person")
		}
		if got := user("third", "t5", "emails", work("shared@x")); got == one || got == two {
			w.t.Error("an ambiguous user was linked")
		} else if n := w.db.Int(w.t, `SELECT count(*) FROM events WHERE type = 'identity.ambiguous' AND identity_id = ?`, got); n != 1 {
			w.t.Errorf("%d notes of the ambiguity", n)
		}
		w.evaluate()
		s := w.state(ada)
		if s.row.User["title"] != "Engineer" || s.row.User["nickName"] != "al" || s.row.Origin["nickName"] != "okta" {
			w.t.Errorf("merged %v from %v", s.row.User, s.row.Origin)
		}
	})
}

// TestOrphanComesBack: deleted and made again, somebody is the same person.
func TestOrphanComesBack(t *testing.T) {
	t.Parallel()
	for name, configuration := range map[string]string{"one source": oneSource, "more sources": twoSources} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, configuration, func(w *world) {
				first := w.person("Ada")
				identity := w.identityOf(first.ID)
				w.evaluate()
				w.remove("hr", w.user, first.ID)
				w.evaluate()
				if s := w.state(identity); s.row.Stage != model.Leaver || len(s.roles) != 0 || s.row.User["userName"] != "Ada" {
					w.t.Errorf("after delete: %+v", s.row)
				}
				again := w.person("ADA")
				if got := w.identityOf(again.ID); got != identity {
					w.t.Errorf("came back as %s, was %s", got, identity)
				}
				w.evaluate()
				s := w.state(identity)
				if s.row.Stage != model.Active || !slices.Contains(s.roles, "employee") || s.row.LeftAt != nil {
					w.t.Errorf("after coming back: %+v %v", s.row, s.roles)
				}
				if diff := w.events(identity); !slices.Equal(diff, []string{"identity.joiner", "identity.leaver", "identity.rehire"}) {
					w.t.Errorf("events %v", diff)
				}
			})
		})
	}
}
