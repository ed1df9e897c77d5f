package console_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Departments there are, each with a role of its own.
const scaleDepartments = 50

func scaleConfiguration() string {
	var out strings.Builder
	out.WriteString(`
database: sqlite:x.db
admin: {tokens: [{name: ops, secret: hunter2hunter2, role: admin}]}
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}], owner: hr@example.com, guard: {leavers: 100%}}}
identity: {authority: {"*": [hr]}}
roles:
  employee: {when: user.active, grants: [{target: chat}, {target: crm}]}
  staff: {when: user.active, grants: [{target: git, group: staff}]}
  lead: {request: {by: self, approve: ["user:zboss"], reason: required, expires: 30d}, grants: [{target: chat, group: leads}]}
`)
	for d := range scaleDepartments {
		fmt.Fprintf(&out, "  dept-%03d: {when: 'user.enterprise.department == \"Dept %03d\"', grants: [{target: chat, group: room-%03d}]}\n", d, d, d)
	}
	out.WriteString(`
conflicts:
  - {roles: [staff, dept-001], action: report}
targets:
  chat: {url: "http://127.0.0.1:1", auth: {bearer: swordfish-swordfish}, leaver: {goal: 1m}}
  git: {url: "http://127.0.0.1:2", auth: {bearer: swordfish-swordfish}}
  crm: {url: "http://127.0.0.1:3", auth: {bearer: swordfish-swordfish}}
`)
	return out.String()
}

// exec runs statements, each with what ? stands for.
func (w *scale) exec(b *testing.B, text string) {
	b.Helper()
	began := time.Now()
	if _, err := w.db.ExecContext(b.Context(), text); err != nil {
		b.Fatalf("%.400s: %v", text, err)
	}
	if took := time.Since(began); took > 20*time.Second {
		_, _ = fmt.Fprintf(os.Stdout, "%s: %.80s\n", took.Round(time.Second), strings.ReplaceAll(text, "\n", " "))
	}
}

func (w *scale) value(b *testing.B, text string) (out string) {
	b.Helper()
	if err := w.db.QueryRowContext(b.Context(), text).Scan(&out); err != nil {
		b.Fatalf("%s: %v", text, err)
	}
	return out
}

// fill makes one person as the hub does, with all that comes of them, and multiplies
// the rows.
func (w *scale) fill(b *testing.B) {
	w.originals(b)
	template, boss := w.value(b, `SELECT id FROM identities WHERE key LIKE 'zgiven%'`), w.value(b, `SELECT id FROM identities WHERE key = 'zboss'`)
	resource := w.value(b, `SELECT id FROM resources WHERE identity_id = '`+template+`'`)
	w.exec(b, fmt.Sprintf(`CREATE UNLOGGED TABLE scale_people AS SELECT i,
  '00000000-0000-7000-8000-' || lpad(i::text, 12, '0') AS id, '00000000-0000-7000-9000-' || lpad(i::text, 12, '0') AS rid,
  (ARRAY['anna','andrea','angela','bob','bea','carl','clara','dora','david','emma','erik','fay','finn','gina','hans','hugo','ida','ines','jan','jana','kai','karl','lena','leo','mara','max','maria','nina','noah','olga','otto','paul','petra','rosa','sam','sara','theo','tina','ulf','uma','vera','viktor','willi','xenia','yara','zoe'])[1 + i %% 46] AS given,
  (ARRAY['al','ba','ber','dor','fel','gru','hol','ja','kra','lin','mo','ne','ol','per','ros','sil','tho','ul','wen','za'])[1 + (i / 7) %% 20]
    || (ARRAY['ba','der','fin','gel','hard','ker','len','man','nert','po','rich','ster'])[1 + (i / 41) %% 12]
    || (ARRAY['','son','sen','mann','er','ova','ini','berg','feld','hof'])[1 + (i / 97) %% 10] AS family,
  lpad(i::text, 7, '0') AS num, lpad((i %% %d)::text, 3, '0') AS dept, (extract(epoch FROM now()) * 1000000)::bigint - i::bigint * 20000000 AS at
FROM generate_series(1, %d) AS s(i)`, scaleDepartments, w.people))
	w.exec(b, `CREATE INDEX ON scale_people (i)`)
	indexes := w.withoutIndexes(b)
	m := []marker{{template, "p.id"}, {resource, "p.rid"}, {"zgiven", "p.given"}, {"Zgiven", "initcap(p.given)"}, {"ZGIVEN", "upper(p.given)"}, {"zfamily", "p.family"}, {"Zfamily", "initcap(p.family)"},
		{"z0z0", "p.num"}, {"Z0Z0", "p.num"}, {"Dept 000", "'Dept ' || p.dept"}, {"dept 000", "'dept ' || p.dept"}, {"dept-000", "'dept-' || p.dept"}, {"room-000", "'room-' || p.dept"}}
	own := `t.identity_id = '` + template + `'`
	fresh := `substr(t.id, 1, 23) || '-' || lpad(to_hex(p.i), 12, '0')`
	leaver := `p.i % 50 = 7`
	for _, t := range []struct {
		table, from, where string
		set                map[string]string
	}{
		{"identities", `t.id = '` + template + `'`, "", map[string]string{"created_at": "p.at", "stage": `CASE WHEN ` + leaver + ` THEN 'leaver' WHEN p.i % 200 = 9 THEN 'leave' WHEN p.i % 300 = 11 THEN 'prehire' ELSE 'active' END`,
			"left_at": `CASE WHEN ` + leaver + ` THEN p.at END`, "manager_id": `CASE WHEN p.i <= 5000 THEN '` + boss + `' ELSE '00000000-0000-7000-8000-' || lpad((p.i / 20)::text, 12, '0') END`}},
		{"resources", own, "", map[string]string{"created_at": "p.at", "modified_at": "p.at"}},
		{"resource_values", `t.resource_id = '` + resource + `'`, "", nil},
		{"search_words", own, "", nil},
		{"grants", own, "", map[string]string{"id": fresh, "from_at": "p.at"}},
		{"accounts", own, "", map[string]string{
			"state":       `CASE WHEN p.i % 1000 = 1 THEN 'failed' WHEN p.i % 1000 = 2 THEN 'held' WHEN p.i % 1000 = 3 THEN 'drifted' WHEN p.i % 500 = 4 THEN 'pending' WHEN ` + leaver + ` THEN 'disabled' ELSE 'in_sync' END`,
			"due":         `p.i % 1000 IN (1, 2) OR p.i % 500 = 4`,
			"error_class": `CASE WHEN p.i % 1000 = 1 THEN (ARRAY['throttled','conflict','unavailable'])[1 + (p.i / 1000) % 3] ELSE '' END`,
			"last_error":  `CASE WHEN p.i % 1000 = 1 THEN 'the application said no (409)' WHEN p.i % 1000 = 2 THEN 'more removals than the guard allows' ELSE '' END`,
			"drift":       `CASE WHEN p.i % 1000 = 3 THEN 'changed' ELSE '' END`, "leaver": leaver, "leaver_at": `CASE WHEN ` + leaver + ` THEN p.at END`, "verified_at": "p.at", "updated_at": "p.at"}},
		{"identity_history", own, "", map[string]string{"at": "p.at + t.at % 20000000"}},
		{"account_history", own, "", map[string]string{"at": "p.at + t.at % 20000000"}},
		{"events", own, "", map[string]string{"id": fresh, "at": "p.at"}},
		{"requests", own, "p.i <= 10000", map[string]string{"id": fresh, "state": `CASE WHEN p.i <= 200 THEN 'pending' ELSE 'denied' END`, "live": `p.i <= 200`, "next_at": `CASE WHEN p.i <= 200 THEN t.next_at END`,
			"doc": `replace(CASE WHEN p.i <= 200 THEN t.doc ELSE replace(t.doc, '"pending"', '"denied"') END, t.id, ` + fresh + `)`}},
		{"review_items", own + ` AND t.role = 'staff'`, "p.i <= 200000", map[string]string{"id": fresh, "risk": `CASE WHEN p.i % 97 = 1 THEN 'high' ELSE '' END`, "recommend": `CASE WHEN p.i % 53 = 1 THEN 'revoke' ELSE 'keep' END`,
			"doc": `replace(t.doc, t.id, ` + fresh + `)`}},
	} {
		w.multiply(b, t.table, t.from, t.where, m, t.set)
	}
	w.rest(b, template, boss)
	for _, text := range indexes {
		w.exec(b, text)
	}
	w.exec(b, `VACUUM ANALYZE`)
}

// withoutIndexes drops all indexes that nothing rests on, so that rows are written
// quickly, and returns how they are made again.
func (w *scale) withoutIndexes(b *testing.B) (made []string) {
	b.Helper()
	w.exec(b, `SET maintenance_work_mem = '512MB'`)
	w.exec(b, `SET synchronous_commit = off`)
	rows, err := w.db.QueryContext(b.Context(), `SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid) ORDER BY c.relname`)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			b.Fatal(err)
		}
		names, made = append(names, name), append(made, text)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	w.exec(b, `DROP INDEX `+strings.Join(names, ", "))
	return made
}

// marker is text of the original, and what stands there in a copy.
type marker struct{ text, is string }

// multiply copies the rows of the original for each person.
func (w *scale) multiply(b *testing.B, table, from, where string, markers []marker, set map[string]string) {
	b.Helper()
	rows, err := w.db.QueryContext(b.Context(), `SELECT t.* FROM `+table+` t WHERE `+from)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		b.Fatal(err)
	}
	holds, originals := make([][]marker, len(types)), 0
	for ; rows.Next(); originals++ {
		values, into := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			b.Fatal(err)
		}
		for i, v := range values {
			text := fmt.Sprintf("%s", v)
			for _, m := range markers {
				if strings.Contains(text, m.text) && !slices.Contains(holds[i], m) {
					holds[i] = append(holds[i], m)
				}
			}
		}
	}
	if err := rows.Err(); err != nil || originals == 0 {
		b.Fatalf("%s has no original: %v", table, err)
	}
	var names, values []string
	for i, c := range types {
		value, ok := set[c.Name()]
		if !ok {
			value = "t." + c.Name()
		}
		if json := c.DatabaseTypeName() == "JSONB"; len(holds[i]) > 0 && (!ok || c.Name() == "doc") {
			if json {
				value += "::text"
			}
			for _, m := range holds[i] {
				value = fmt.Sprintf("replace(%s, '%s', %s)", value, m.text, m.is)
			}
			if json {
				value = "(" + value + ")::jsonb"
			}
		}
		names, values = append(names, c.Name()), append(values, value)
	}
	if where != "" {
		where = " WHERE " + where
	}
	w.exec(b, fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM scale_people p CROSS JOIN (SELECT t.* FROM %s t WHERE %s OFFSET 0) t%s`, table, strings.Join(names, ", "), strings.Join(values, ", "), table, from, where))
}

// originals are a person and their manager, as the hub makes them.
func (w *scale) originals(b *testing.B) {
	b.Helper()
	ctx := b.Context()
	user, _ := scim.DefaultRegistry().Type("User")
	create := func(doc map[string]any) {
		if _, err := w.hub.Create(ctx, hub.Actor{Source: "hr", Name: "main"}, user, doc); err != nil {
			b.Fatal(err)
		}
	}
	create(map[string]any{"userName": "zboss", "displayName": "The Boss", "active": true})
	boss := w.value(b, `SELECT id FROM resources WHERE key = 'zboss'`)
	create(map[string]any{"userName": "zgiven.zfamily.z0z0@example.com", "displayName": "Zgiven Zfamily", "active": true, "externalId": "x-z0z0",
		"name": map[string]any{"givenName": "Zgiven", "familyName": "Zfamily"}, "title": "Engineer",
		"emails":           []any{map[string]any{"value": "zgiven.zfamily.z0z0@example.com", "type": "work", "primary": true}},
		scim.URNEnterprise: map[string]any{"employeeNumber": "z0z0", "department": "Dept 000", "manager": map[string]any{"value": boss}}})
	w.evaluate(b)
	for _, target := range []string{"chat", "git", "crm"} {
		rows, err := w.hub.Store.Accounts(ctx, target, "", 10)
		if err != nil {
			b.Fatal(err)
		}
		var list []store.Settlement
		for _, row := range rows {
			row.Due, row.RemoteID, row.Owned, row.State, row.Applied = false, "at-"+row.Identity, model.OwnedCreated, model.StateInSync, row.Desired
			list = append(list, store.Settlement{Row: row})
		}
		if err := w.hub.Store.Settle(ctx, target, list); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.hub.AskRequest(ctx, hub.Who{Name: "ops", Operator: true}, hub.Ask{Role: "lead", For: "zgiven.zfamily.z0z0@example.com", Reason: "for Zgiven Zfamily"}); err != nil {
		b.Fatal(err)
	}
	reviewer := model.ReviewStage{Reviewers: []string{"user:zboss"}, Within: 14 * 24 * time.Hour}
	if _, err := w.hub.StartReview(ctx, hub.Who{Name: "ops", Operator: true}, hub.NewReview{Name: "All of staff", Scope: model.ReviewScope{Role: "staff"}, Stages: []model.ReviewStage{reviewer}}); err != nil {
		b.Fatal(err)
	}
	for {
		worked, err := w.hub.ReviewStep(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if !worked {
			break
		}
	}
	w.evaluate(b)
}

func (w *scale) evaluate(b *testing.B) {
	b.Helper()
	for {
		n, err := w.hub.EvaluateBatch(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}
