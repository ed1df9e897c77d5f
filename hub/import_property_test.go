package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestImportSets imports sets that know nothing of each other: whatever was there
// before, afterwards the active people are those of the set, with what it says of
// them, and importing it again changes nothing.
func TestImportSets(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		rapid.Check(w.t, func(rt *rapid.T) {
			want := map[string]string{}
			var file strings.Builder
			file.WriteString("externalId,userName,title,emails[type eq \"work\"].value\n")
			for key := range 8 {
				if !rapid.Bool().Draw(rt, "there") {
					continue
				}
				title := rapid.SampledFrom([]string{"", "Engineer", "Clerk, \"senior\"", "Ärztin"}).Draw(rt, "title")
				mail := rapid.SampledFrom([]string{"", "a@x.example", "b@x.example"}).Draw(rt, "mail")
				fmt.Fprintf(&file, "%d,user%d,\"%s\",%s\n", key, key, strings.ReplaceAll(title, `"`, `""`), mail)
				want[fmt.Sprint(key)] = title + "|" + mail
			}
			if len(want) == 0 {
				return
			}
			w.doImport(csvOf(file.String()))
			if r := w.doImport(csvOf(file.String())); r.Differs() {
				rt.Fatalf("again: %s %+v", numbers(r), r.Items)
			}
			for key, u := range w.users() {
				expected, in := want[key]
				if active := u["active"] != false; active != in {
					rt.Fatalf("%s is active: %v, in the set: %v", key, active, in)
				}
				mail := ""
				if list, _ := u["emails"].([]any); len(list) > 0 {
					mail, _ = list[0].(map[string]any)["value"].(string)
				}
				title, _ := u["title"].(string)
				if in && title+"|"+mail != expected {
					rt.Fatalf("%s is %q, want %q", key, title+"|"+mail, expected)
				}
				delete(want, key)
			}
			if len(want) > 0 {
				rt.Fatalf("nobody made: %v", want)
			}
		})
	})
}
