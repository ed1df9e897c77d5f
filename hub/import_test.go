package hub_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/rows"
	"github.com/scimhub/scimhub/model/scim"
)

// roomy lets enough people leave for tests of other things.
var roomy = strings.Replace(oneSource, "leavers: 0%, window: 1h, floor: 2", "leavers: 0%, window: 1h, floor: 100", 1)

const (
	threePeople = "externalId,userName,name.givenName,title,emails[type eq \"work\"].value\n" +
		"1,ada,Ada,Engineer,ada@x.example\n2,bob,Bob,,\n3,cyd,Cyd,Engineer,cyd@x.example\n"
)

func opened(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func csvOf(s string) hub.Import {
	return hub.Import{Source: "hr", Name: "people.csv", Format: rows.CSV, Open: opened(s)}
}

func linesOf(s string) hub.Import {
	return hub.Import{Source: "hr", Name: "people.jsonl", Format: rows.JSON, Open: opened(s)}
}

func mapped(s, m string) hub.Import {
	in := csvOf(s)
	in.Map, in.MapName = []byte(m), "map.yaml"
	return in
}

func (w *world) doImport(in hub.Import) hub.ImportResult {
	w.t.Helper()
	r, err := w.Import(w.t.Context(), hub.Actor{Name: "ops"}, in)
	if err != nil {
		w.t.Fatalf("import: %v", err)
	}
	return r
}

func (w *world) refuses(in hub.Import, code model.Code, parts ...string) {
	w.t.Helper()
	before := w.counts()
	_, err := w.Import(w.t.Context(), hub.Actor{Name: "ops"}, in)
	if err == nil || model.CodeOf(err) != code {
		w.t.Fatalf("error %v (%s), want one of code %s", err, model.CodeOf(err), code)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			w.t.Errorf("error %q does not say %q", err, part)
		}
	}
	if after := w.counts(); after != before {
		w.t.Errorf("a refused import wrote: %v, was %v", after, before)
	}
}

// users are the users of source hr by externalId, or by userName where there is none.
func (w *world) users() map[string]map[string]any {
	w.t.Helper()
	page, err := w.List(w.t.Context(), by("hr"), w.user, scim.Query{StartIndex: 1, Count: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, r := range page.Resources {
		key, _ := r.Attrs["externalId"].(string)
		if key == "" {
			key, _ = r.Attrs["userName"].(string)
		}
		r.Attrs["id"] = r.ID
		out[key] = r.Attrs
	}
	return out
}

func numbers(r hub.ImportResult) string {
	return fmt.Sprintf("+%d ~%d -%d ^%d", r.Creates, r.Updates, r.Disables, r.Enables)
}

func (w *world) wantImport(in hub.Import, want string) hub.ImportResult {
	w.t.Helper()
	dry := in
	dry.DryRun = true
	before := w.counts()
	shown := w.doImport(dry)
	if after := w.counts(); after != before {
		w.t.Errorf("a dry run wrote: %v, was %v", after, before)
	}
	r := w.doImport(in)
	if got := numbers(r); got != want || numbers(shown) != want || shown.Digest != r.Digest {
		w.t.Fatalf("import: %s, shown %s, want %s (digests %s %s)", got, numbers(shown), want, r.Digest, shown.Digest)
	}
	again := w.doImport(in)
	if again.Differs() || again.Applied {
		w.t.Errorf("imported again: %s %v", numbers(again), again.Items)
	}
	return r
}

func TestImportBringsUsersInLine(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		t := w.t
		w.wantImport(csvOf(threePeople), "+3 ~0 -0 ^0")
		w.evaluate()
		u := w.users()
		ada := w.state(w.identityOf(u["1"]["id"].(string)))
		if !slices.Contains(ada.roles, "engineer") || u["1"]["active"] != true {
			t.Errorf("ada: %v %v", ada.roles, u["1"])
		}
		// A mover, a leaver by absence, a joiner; an empty cell takes the value away.
		next := "externalId;userName;name.givenName;title;emails[type eq \"work\"].value\r\n" +
			"1;ada;Ada;;ada@y.example\r\n3;cyd;Cyd;Engineer;cyd@x.example\r\n4;dan;Dan;Engineer;\r\n"
		r := w.wantImport(csvOf(next), "+1 ~1 -1 ^0")
		if len(r.Items) != 3 || !r.Applied || r.ID == "" {
			t.Errorf("result: %+v", r)
		}
		w.evaluate()
		u = w.users()
		if u["2"]["active"] != false || u["1"]["title"] != nil || u["4"] == nil {
			t.Errorf("users: %v", u)
		}
		if s := w.state(w.identityOf(u["2"]["id"].(string))); s.row.Stage != model.Leaver {
			t.Errorf("who is absent is %s", s.row.Stage)
		}
		// Back again.
		w.wantImport(csvOf(threePeople+"4,dan,Dan,Engineer,\n"), "+0 ~1 -0 ^1")
		w.evaluate()
		if s := w.state(w.identityOf(u["2"]["id"].(string))); s.row.Stage != model.Active {
			t.Errorf("who came back is %s", s.row.Stage)
		}
		if _, faults, err := w.Store.VerifyAudit(t.Context()); err != nil || len(faults) > 0 {
			t.Errorf("audit: %v %v", faults, err)
		}
		if n := w.db.Int(t, `SELECT count(*) FROM audit WHERE action IN ('scim.create', 'scim.modify')`); n != 3+3+2 {
			t.Errorf("%d audit entries of resources", n)
		}
		if n := w.db.Int(t, `SELECT count(*) FROM imports`); n != 3 {
			t.Errorf("%d imports noted", n)
		}
		counts, err := w.Store.ResourceCounts(t.Context(), "hr")
		if err != nil || counts["User"] != 4 {
			t.Errorf("counts: %v %v", counts, err)
		}
	})
}

func TestImportLeavesAloneWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		t := w.t
		w.person("Ada", "externalId", "1", "nickName", "Countess", "emails", []any{
			map[string]any{"value": "home@x.example", "type": "home"}, map[string]any{"value": "old@x.example", "type": "work", "primary": true}})
		w.person("late", "title", "Boss") // of no externalId: known by name
		w.wantImport(csvOf("externalId,userName,emails[type eq \"work\"].value,department\n1,ada,new@x.example,R&D\n9,late,,\n"), "+0 ~2 -0 ^0")
		u := w.users()
		ada := fmt.Sprint(u["1"]["emails"], u["1"]["nickName"], u["1"][scim.URNEnterprise])
		for _, part := range []string{"home@x.example", "new@x.example", "primary:true", "Countess", "R&D"} {
			if !strings.Contains(ada, part) {
				t.Errorf("%q is not in %s", part, ada)
			}
		}
		if strings.Contains(ada, "old@") || u["9"]["title"] != "Boss" {
			t.Errorf("users: %v", u)
		}
	})
}

func TestImportPartial(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		w.doImport(csvOf(threePeople))
		in := csvOf("externalId,userName,title\n3,cyd,Lead\n5,eve,\n")
		in.Partial = true
		w.wantImport(in, "+1 ~1 -0 ^0")
		in = csvOf("")
		in.Partial = true
		w.wantImport(in, "+0 ~0 -0 ^0")
		in = csvOf("externalId,userName,active\n3,cyd,FALSE\n")
		in.Partial = true
		w.wantImport(in, "+0 ~0 -1 ^0")
		in = csvOf("externalId,userName\n3,cyd\n") // says nothing of active
		in.Partial = true
		w.wantImport(in, "+0 ~0 -0 ^0")
	})
}

func TestImportJSONLines(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		t := w.t
		first := `{"schemas":["urn:x"],"id":"7","externalId":"1","userName":"ada","name":{"givenName":"Ada"},"title":"Engineer","emails":[{"value":"a@x.example","type":"work"}]}

{"externalId":"2","userName":"bob","name.givenName":"Bob","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager":"1"}
`
		w.wantImport(linesOf(first), "+2 ~0 -0 ^0")
		u := w.users()
		if got := fmt.Sprint(u["2"][scim.URNEnterprise]); !strings.Contains(got, u["1"]["id"].(string)) {
			t.Errorf("manager: %s, want %s", got, u["1"]["id"])
		}
		// What one line has and another has not is nothing there; of what none has nothing is said.
		w.wantImport(linesOf(`{"externalId":"1","userName":"ada"}`+"\n"+`{"externalId":"2","userName":"bob","title":"Clerk"}`), "+0 ~2 -0 ^0")
		u = w.users()
		if u["1"]["title"] != nil || u["1"]["emails"] == nil || u["2"]["title"] != "Clerk" {
			t.Errorf("users: %v", u)
		}
	})
}

func TestImportMap(t *testing.T) {
	t.Parallel()
	m := `
key: externalId
skip: row.kind == "robot"
date: ["02.01.2006", "2006-01-02"]
manager: {column: boss, by: externalId}
columns:
  externalId: row.no
  userName: row.mail.split("@")[0].lowerAscii()
  active: row.status != "left"
  'emails[type eq "work"].value': row.mail
  displayName: row["first name"] + " " + row.last
  x509Certificates.value: 'has(row.cert) ? row.cert : ""'
`
	file := "no,first name,last,mail,status,kind,boss\n" +
		"1,Ada,L,ADA@x.example,in,,2\n2,Bob,M,bob@x.example,in,,\n3,C,3PO,c@x.example,in,robot,\n4,Dan,X,dan@x.example,left,,2\n"
	each(t, roomy, func(w *world) {
		t := w.t
		r := w.wantImport(mapped(file, m), "+3 ~0 -0 ^0")
		if r.Skipped != 1 || r.Rows != 4 {
			t.Errorf("result: %+v", r)
		}
		u := w.users()
		if u["1"]["userName"] != "ada" || u["4"]["active"] != false || u["1"]["displayName"] != "Ada L" ||
			!strings.Contains(fmt.Sprint(u["1"]), u["2"]["id"].(string)) {
			t.Errorf("users: %v", u)
		}
		w.wantImport(mapped(strings.Replace(file, "ada@x.example,in", "", 1), m), "+0 ~0 -0 ^0")
		w.wantImport(mapped(strings.Replace(file, "bob@x.example,in", "bob@x.example,left", 1), m), "+0 ~0 -1 ^0")
	})
}

func TestImportNamesMoveBetweenPeople(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		t := w.t
		w.doImport(csvOf("externalId,userName\n1,ada\n2,bob\n3,cyd\n"))
		w.wantImport(csvOf("externalId,userName\n1,bob\n2,cyd\n3,ADA\n"), "+0 ~3 -0 ^0")
		u := w.users()
		if u["1"]["userName"] != "bob" || u["2"]["userName"] != "cyd" || u["3"]["userName"] != "ADA" {
			t.Errorf("users: %v", u)
		}
		w.refuses(csvOf("externalId,userName\n1,bob\n3,ada\n4,cyd\n"), model.Invalid, `people.csv:4:3: userName "cyd" is that of a user of this source with externalId "2", who is not in the file`)
	})
}

func TestImportGuard(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) { // two may leave within an hour
		t := w.t
		w.doImport(csvOf("externalId,userName\n1,a\n2,b\n3,c\n4,d\n5,e\n"))
		w.evaluate()
		shrunk := csvOf("externalId,userName\n1,a\n2,b\n")
		w.refuses(shrunk, model.Refused, "would disable 3 of 5 people of source hr", "allows 2", "--release ")
		dry := shrunk
		dry.DryRun = true
		r := w.doImport(dry)
		if r.Held == "" || r.Applied || numbers(r) != "+0 ~0 -3 ^0" {
			t.Errorf("dry run: %+v", r)
		}
		other := shrunk
		other.Release = strings.Repeat("0", 32)
		w.refuses(other, model.Refused, "is not that of the difference")
		other.Open = opened("externalId,userName\n1,a\n")
		other.Release = r.Digest
		w.refuses(other, model.Refused, "is not that of the difference")
		w.refuses(csvOf("externalId,userName\n"), model.Refused, "has no rows", "all 5 people")
		w.refuses(csvOf(""), model.Refused, "has no rows")
		w.refuses(csvOf("externalId,userName,title\n1,a,x\n2,b,x\n3,c,x\n4,d,x\n5,e"), model.Refused, "people.csv:6:", "cut off")
		released := shrunk
		released.Release = r.Digest
		if r := w.doImport(released); !r.Applied || numbers(r) != "+0 ~0 -3 ^0" {
			t.Errorf("released: %+v", r)
		}
		w.evaluate()
		for key, u := range w.users() {
			s := w.state(w.identityOf(u["id"].(string)))
			if left := s.row.Stage == model.Leaver; left != (key > "2") || s.row.OverGuard {
				t.Errorf("%s: %s, over the guard %v", key, s.row.Stage, s.row.OverGuard)
			}
		}
		if n := w.db.Int(t, `SELECT count(*) FROM imports WHERE released`); n != 1 {
			t.Errorf("%d released imports", n)
		}
	})
}

// What leaves one by one counts together with what an import would disable.
func TestImportGuardCountsLeaversBefore(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		w.doImport(csvOf("externalId,userName\n1,a\n2,b\n3,c\n4,d\n5,e\n"))
		w.evaluate()
		w.doImport(csvOf("externalId,userName\n1,a\n2,b\n3,c\n"))
		w.evaluate()
		w.refuses(csvOf("externalId,userName\n1,a\n2,b\n"), model.Refused, "2 left in the last 1h")
		w.clock.Add(2 * time.Hour)
		w.wantImport(csvOf("externalId,userName\n1,a\n2,b\n"), "+0 ~0 -1 ^0")
	})
}

func TestImportBadRows(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		t := w.t
		w.doImport(csvOf(threePeople))
		for name, tt := range map[string]struct {
			in   hub.Import
			want []string
		}{
			"unknown column":   {csvOf("externalId,userNam\n"), []string{`people.csv:1:12: column "userNam"`, `did you mean "userName"`}},
			"column twice":     {csvOf("userName,USERNAME\n"), []string{"people.csv:1:10: column \"USERNAME\" is there twice"}},
			"one attribute":    {csvOf("userName,department,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department\n"), []string{"are the same attribute"}},
			"no key":           {csvOf("title\nx\n"), []string{"neither externalId nor userName"}},
			"read-only":        {csvOf("userName,groups.value\n"), []string{"groups.value", "readOnly"}},
			"all at once":      {csvOf("externalId,userName,active\n,x,true\n1,,true\n2,b,maybe\n3,c\n4,d,\n"), []string{"people.csv:2:1: the row has no externalId", "people.csv:3:3: userName: is required", `people.csv:4:5: active: "maybe"`, "people.csv:5:3: the row has 2 cells, the header has 3", "people.csv:6:5: active is empty"}},
			"key twice":        {csvOf("externalId,userName\n1,a\n1,b\n"), []string{"people.csv:3:1: externalId is that of line 2 already"}},
			"name twice":       {csvOf("externalId,userName\n1,a\n2,A\n"), []string{"people.csv:3:3: userName is that of line 2 already"}},
			"e-mail":           {csvOf("userName,emails[type eq \"work\"].value\na,nonsense\n"), []string{`people.csv:2:3: emails[type eq "work"].value: "nonsense" is not an e-mail address`}},
			"not UTF-8":        {csvOf("userName,title\na,M\xfcller\n"), []string{"people.csv:2:4: byte 0xfc is not UTF-8"}},
			"UTF-16":           {csvOf("\xff\xfeu\x00"), []string{"UTF-16"}},
			"open quote":       {csvOf("userName,title\na,\"x\nb,y\n"), []string{"quote"}},
			"not JSON":         {linesOf("{\"userName\":\"a\"}\n[1]\n{\"userName\":}\n"), []string{"people.jsonl:2:", "people.jsonl:3:"}},
			"JSON twice":       {linesOf(`{"userName":"a","username":"b"}` + "\n"), []string{"people.jsonl:1:", "twice"}},
			"JSON type":        {linesOf(`{"userName":"a","active":"perhaps"}` + "\n"), []string{"people.jsonl:1:", "active"}},
			"map: unknown key": {mapped("a\nx\n", "colums: {userName: row.a}\n"), []string{"map.yaml:1:1", `did you mean "columns"`}},
			"map: path":        {mapped("a\nx\n", "columns: {userNam: row.a}\n"), []string{"map.yaml:1:", "userNam"}},
			"map: expression":  {mapped("a\nx\n", "columns: {userName: row.a +}\n"), []string{"map.yaml:1:"}},
			"map: no column":   {mapped("a\nx\n", "columns: {userName: row.aa}\n"), []string{`map.yaml:1:`, `people.csv has no column "aa"; did you mean "a"`}},
			"map: date":        {mapped("a\nx\n", "columns: {userName: row.a}\ndate: dd.mm.yyyy\n"), []string{"map.yaml:2:7", "layout"}},
			"map: skip":        {mapped("a\nx\n", "columns: {userName: row.a}\nskip: row.a\n"), []string{"map.yaml:2:7", "true or false"}},
			"map: value":       {mapped("a\nx\n", "columns: {userName: row.a, active: 'int(row.a) > 3'}\n"), []string{"people.csv:2:1: active:"}},
			"unknown source":   {hub.Import{Source: "hrr"}, nil},
		} {
			if tt.in.Source == "hrr" {
				w.refuses(tt.in, model.NotFound, `did you mean "hr"`)
				continue
			}
			t.Run(name, func(t *testing.T) {
				sub := *w
				sub.t = t
				sub.refuses(tt.in, model.Invalid, tt.want...)
			})
		}
		many := "userName,active\n"
		for i := range 150 {
			many += fmt.Sprintf("u%d,no\n", i)
		}
		_, err := w.Import(t.Context(), hub.Actor{Name: "ops"}, csvOf(many))
		bad, ok := errors.AsType[*hub.RowsError](err)
		if !ok || bad.Total != 150 || len(bad.Faults) != 100 || !strings.HasSuffix(err.Error(), "… and 50 more faults") {
			t.Errorf("many faults: %v", err)
		}
	})
}

func TestImportOfManagers(t *testing.T) {
	t.Parallel()
	file := "externalId,userName,manager\n1,ada,2\n2,bob,CYD\n3,cyd,\n"
	manager := func(u map[string]any) any {
		enterprise, _ := u[scim.URNEnterprise].(map[string]any)
		m, _ := enterprise["manager"].(map[string]any)
		return m["value"]
	}
	check := func(w *world) {
		w.wantImport(csvOf(file), "+3 ~0 -0 ^0")
		u := w.users()
		if manager(u["1"]) != u["2"]["id"] || manager(u["2"]) != u["3"]["id"] || manager(u["3"]) != nil {
			w.t.Errorf("users: %v", u)
		}
		w.wantImport(csvOf(strings.Replace(file, "CYD", u["1"]["id"].(string), 1)), "+0 ~1 -0 ^0")
	}
	stranger := csvOf(file + "4,dan,nobody\n")
	t.Run("strict", func(t *testing.T) {
		t.Parallel()
		each(t, strings.Replace(roomy, "dialect: rfc", "dialect: interop", 1), func(w *world) {
			check(w)
			w.refuses(stranger, model.Invalid, `people.csv:5:7: manager "nobody" is nobody's externalId, userName or id`)
		})
	})
	each(t, roomy, func(w *world) { // the dialect lets a source name whom it has not sent
		t := w.t
		check(w)
		w.doImport(stranger)
		if got := manager(w.users()["4"]); got != "nobody" {
			t.Errorf("manager %v", got)
		}
	})
}

func TestImportMovedWorld(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		in := csvOf(threePeople)
		in.DryRun = true
		shown := w.doImport(in)
		w.person("ada", "externalId", "1")
		in.DryRun, in.Digest = false, shown.Digest
		w.refuses(in, model.Conflict, "no longer the one that was shown")
	})
}

// A file that changes between two readings, or cannot be read the second time, must
// not leave half of an import behind.
func TestImportAllOrNothing(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		t := w.t
		var many strings.Builder
		many.WriteString("externalId,userName\n")
		for i := range 900 {
			fmt.Fprintf(&many, "%d,u%d\n", i, i)
		}
		reads := 0
		in := csvOf("")
		in.Open = func() (io.ReadCloser, error) {
			if reads++; reads == 3 {
				half := strings.NewReader(many.String()[:many.Len()/2])
				return io.NopCloser(io.MultiReader(half, brokenReader{})), nil
			}
			return io.NopCloser(strings.NewReader(many.String())), nil
		}
		w.refuses(in, model.Invalid, "nothing was changed")
		if len(w.users()) != 0 || w.db.Int(t, `SELECT count(*) FROM resource_counts WHERE n <> 0`)+w.db.Int(t, `SELECT count(*) FROM identities`) != 0 {
			t.Error("half of the import is there")
		}
		in.Open = opened(many.String())
		if r := w.doImport(in); r.Creates != 900 || len(r.Items) != 50 {
			t.Errorf("import: %s, %d items", numbers(r), len(r.Items))
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestImportLinksAsPushesDo(t *testing.T) {
	t.Parallel()
	each(t, strings.ReplaceAll(twoSources, "hr: {dialect: rfc}", "hr: {dialect: rfc, guard: {leavers: 100%, window: 1h, floor: 100}}"), func(w *world) {
		t := w.t
		okta := w.create("okta", w.user, map[string]any{"schemas": []any{scim.URNUser}, "userName": "ada@okta", "externalId": "1", "active": true})
		w.create("okta", w.user, map[string]any{"schemas": []any{scim.URNUser}, "userName": "z1", "emails": []any{map[string]any{"value": "same@x.example", "type": "work"}}})
		w.create("okta", w.user, map[string]any{"schemas": []any{scim.URNUser}, "userName": "z2", "emails": []any{map[string]any{"value": "same@x.example", "type": "work"}}})
		w.wantImport(csvOf("externalId,userName,emails[type eq \"work\"].value\n1,ada,\n2,ada@okta,\n3,new,same@x.example\n"), "+3 ~0 -0 ^0")
		u := w.users()
		if got, want := w.identityOf(u["1"]["id"].(string)), w.identityOf(okta.ID); got != want {
			t.Errorf("ada is %s, want %s", got, want)
		}
		if w.identityOf(u["2"]["id"].(string)) == w.identityOf(okta.ID) {
			t.Error("two users of one source are one person")
		}
		if n := w.db.Int(t, `SELECT count(*) FROM events WHERE type = 'identity.ambiguous'`); n != 1 {
			t.Errorf("%d ambiguous people", n)
		}
	})
}

// Who was deleted and is imported again is the same person as before.
func TestImportOfSomebodyWhoComesBack(t *testing.T) {
	t.Parallel()
	each(t, roomy, func(w *world) {
		t := w.t
		ada := w.person("ada", "externalId", "1")
		before := w.identityOf(ada.ID)
		w.evaluate()
		w.remove("hr", w.user, ada.ID)
		w.evaluate()
		w.wantImport(csvOf("externalId,userName\n1,ada\n2,bob\n"), "+2 ~0 -0 ^0")
		if after := w.identityOf(w.users()["1"]["id"].(string)); after != before {
			t.Errorf("ada was %s and is %s", before, after)
		}
	})
}
