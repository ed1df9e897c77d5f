package console_test

import (
	"fmt"
	"strings"
	"testing"
)

// rest is what is not multiplied from an original: groups, tasks, leavers, drift, the
// audit trail, messages, and a manager with a long life.
func (w *scale) rest(b *testing.B, template, boss string) {
	b.Helper()
	const at = `(extract(epoch FROM now()) * 1000000)::bigint`
	review := w.value(b, `SELECT id FROM reviews`)
	for _, text := range []string{
		`INSERT INTO review_asked SELECT '{boss}', review_id, id FROM review_items ON CONFLICT DO NOTHING`,
		`UPDATE review_counts SET n = (SELECT count(*) FROM review_items)`,
		`INSERT INTO request_asked SELECT '{boss}', id FROM requests WHERE state = 'pending' ON CONFLICT DO NOTHING`,
		`INSERT INTO leaver_runs (id, identity_id, kind, received_at, ended_at, outcome)
SELECT 'run-' || lpad(p.i::text, 7, '0'), p.id, 'leaver', p.at, CASE WHEN p.i > 2000 THEN p.at + 90000000 END, CASE WHEN p.i > 2000 THEN 'verified' ELSE '' END FROM scale_people p WHERE p.i % 50 = 7 AND p.i <= 250000`,
		`INSERT INTO leaver_targets (run_id, target, state, sent_at, verified_at, attempts, last_error, error_class, late_at)
SELECT r.id, t, CASE WHEN r.ended_at IS NULL AND t = 'git' THEN 'failed' ELSE 'verified' END, r.received_at + 1000000, CASE WHEN r.ended_at IS NULL AND t = 'git' THEN NULL ELSE r.received_at + 60000000 END, 1,
CASE WHEN r.ended_at IS NULL AND t = 'git' THEN 'no answer' ELSE '' END, CASE WHEN r.ended_at IS NULL AND t = 'git' THEN 'unavailable' ELSE '' END, CASE WHEN r.ended_at IS NULL AND t = 'git' THEN r.received_at + 60000000 END
FROM leaver_runs r, unnest(ARRAY['chat','git','crm']) AS t`,
		`INSERT INTO findings SELECT p.id, (ARRAY['missing','date','manager','number'])[1 + p.i % 4], 'title', 'hr', 'title is missing at hr', p.at FROM scale_people p WHERE p.i % 20 = 3`,
		`INSERT INTO findings SELECT p.id, 'conflict', 'dept-001, staff', 'hr', 'holds dept-001 and staff', p.at FROM scale_people p WHERE p.i % 50 = 1`,
		`INSERT INTO cases SELECT '00000000-0000-7000-a000-' || lpad(p.i::text, 12, '0'), p.id, 'hr', p.rid, 'userName', '["' || p.id || '","{boss}"]', TRUE, p.at, NULL, '', '' FROM scale_people p WHERE p.i % 1000 = 17`,
		`INSERT INTO exceptions (id, identity_id, roles, owner, reason, made_by, from_at, until_at, made_at)
SELECT 'ex-' || lpad(p.i::text, 7, '0'), p.id, '["dept-001","staff"]', '{boss}', 'known', 'ops', p.at, {at} + 86400000000 * 30, p.at FROM scale_people p WHERE p.i % 500 = 1`,
		`INSERT INTO tasks (id, kind, target, identity_id, digest, assignee, removes, created_at, due_at, done_at, outcome, generation, auto, doc)
SELECT id, 'transfer', 'git', identity_id, id, '{boss}', FALSE, at, at + 86400000000, done, CASE WHEN done IS NULL THEN '' ELSE 'done' END, 1, FALSE,
  json_build_object('id', id, 'kind', 'transfer', 'target', 'git', 'identity', identity_id, 'userName', num, 'digest', id, 'what', 'hand on what they own', 'assignee', '{boss}', 'created', '2026-01-01T00:00:00Z', 'due', '2026-01-02T00:00:00Z')::text
FROM (SELECT 'task-' || num AS id, p.id AS identity_id, num, at, CASE WHEN p.i % 10 <> 0 THEN at + 3600000000 END AS done FROM scale_people p WHERE p.i % 20 = 0 AND p.i <= 100000) q`,
		`INSERT INTO target_groups (target, name, remote_id, owned, state, last_error, attempts, next_at, fold, applied, wanted, updated_at)
SELECT 'git', 'app-git-' || p.num, 'g-' || p.num, 'created', CASE WHEN p.i % 100 = 1 THEN 'failed' ELSE 'in_sync' END, '', 0, 0, 'app-git-' || p.num, 'app-git-' || p.num, TRUE, p.at FROM scale_people p WHERE p.i <= 20000`,
		`INSERT INTO drift_found (target, object, kind, subject, user_name, remote_id, fields, observed, mark, action, sightings, since, sweep, done)
SELECT 'git', p.id, (ARRAY['changed','missing'])[1 + p.i % 2], '', 'u' || p.num, 'r' || p.num, '[{"path":"active","before":true,"after":false}]', '', 'm', 'report', 2, p.at, p.at, 0 FROM scale_people p WHERE p.i <= 20000`,
		`INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, hash)
SELECT p.i % 16, 1000 + p.i, {at} - ({n} - p.i)::bigint * 20000000, (ARRAY['hub','source/hr main','ops','boss'])[1 + p.i % 4], (ARRAY['account.update','user.replace','identity.evaluate','request.approve','target.sync'])[1 + p.i % 5],
(ARRAY['target/git','resource/' || p.rid,'identity/' || p.id])[1 + p.i % 3], p.id, '{"a":1}', '\x00' FROM scale_people p`,
		`UPDATE audit_heads h SET seq = (SELECT max(seq) FROM audit a WHERE a.lane = h.lane), hash = '\x00'`,
		`INSERT INTO events (id, at, type, source, resource_id, identity_id, data) SELECT '01900000-0000-7000-8000-' || lpad(p.i::text, 12, '0'), p.at, 'user.modified', 'hr', '', '{boss}', '{"fields":["title"]}' FROM scale_people p WHERE p.i <= 5000`,
		`INSERT INTO grants (id, identity_id, role, because, approved_by, version, from_at, ended_at) SELECT 'old-' || p.num, '{boss}', 'dept-' || p.dept, because, '', 1, p.at - 1000000, p.at FROM scale_people p, (SELECT because FROM grants WHERE identity_id = '{template}' LIMIT 1) t WHERE p.i <= 1000`,
		`INSERT INTO notices (id, at, type, subject, key, identity_id, asked, data, expanded) SELECT 'notice-' || p.num, p.at, (ARRAY['approval.wanted','leaver.late','plan.held','task.created'])[1 + p.i % 4], 'request/' || p.i, 'k' || p.i, p.id, '["{boss}"]', '{"role":"lead"}', TRUE FROM scale_people p WHERE p.i <= 100000`,
		`INSERT INTO deliveries (id, notice_id, receiver, recipient, bundle, state, attempts, next_at, status, answer, created_at, ended_at) SELECT 'delivery-' || p.num, 'notice-' || p.num, 'mail', '{boss}', FALSE, CASE WHEN p.i % 100 = 1 THEN 'failed' ELSE 'done' END, 1, 0, 200, 'ok', p.at, p.at FROM scale_people p WHERE p.i <= 100000`,
		`INSERT INTO sessions (id, hash, kind, name, role, person, issuer, subject, sid, data, agent, address, created_at, seen_at, expires_at, ended_by, ended_why)
SELECT 's-' || p.num, 'h' || p.num, 'oidc', 'u' || p.num, 'auditor', p.id, 'https://idp.example.com', p.num, '', '{}', 'a browser', '192.0.2.1', {at}, {at}, {at} + 3600000000, '', '' FROM scale_people p WHERE p.i <= 5000`,
		`INSERT INTO deputies (id, person_id, deputy_id, from_at, created_at, by_whom) SELECT 'd-' || p.num, p.id, '{boss}', p.at, p.at, 'ops' FROM scale_people p WHERE p.i BETWEEN 900 AND 910`,
		`INSERT INTO target_hours SELECT t, {at} / 3600000000 * 3600000000 - h::bigint * 3600000000, 100, 3 FROM unnest(ARRAY['chat','git','crm']) AS t, generate_series(0, 720) AS h`,
		`INSERT INTO tokens (id, source, name, hash, created_at, created_by, issued_at) SELECT 't-' || p.num, 'hr', 'n' || p.num, p.num::bytea, p.at, 'ops', p.at FROM scale_people p WHERE p.i <= 1000`,
		`INSERT INTO imports SELECT 'i-' || p.num, 'hr', p.at, 'ops', 'd', FALSE, FALSE, 10, 1, 2, 3, 4 FROM scale_people p WHERE p.i <= 1000`,
	} {
		w.exec(b, strings.NewReplacer("{boss}", boss, "{template}", template, "{review}", review, "{at}", at, "{n}", fmt.Sprint(w.people)).Replace(text))
	}
}

// find looks up who and what the pages are about.
func (w *scale) find(b *testing.B) {
	b.Helper()
	w.person, w.boss = `00000000-0000-7000-8000-000000000815`, w.value(b, `SELECT id FROM identities WHERE key = 'zboss'`)
	w.request = w.value(b, `SELECT id FROM requests WHERE state = 'pending' ORDER BY id LIMIT 1`)
	w.task = w.value(b, `SELECT id FROM tasks WHERE done_at IS NULL ORDER BY id LIMIT 1`)
	w.review = w.value(b, `SELECT id FROM reviews LIMIT 1`)
	w.item = w.value(b, `SELECT id FROM review_items WHERE state = 'pending' ORDER BY id LIMIT 1`)
}

// allPages are the pages of the console, and what they ask for in other ways.
func (w *scale) allPages() []scalePage {
	boss := "person:zboss"
	name := "zgiven.zfamily.z0z0@example.com"
	return []scalePage{
		{name: "overview", path: "/"},
		{name: "overview of a manager", path: "/", as: boss},
		{name: "people", path: "/people"},
		{name: "people by common prefix", path: "/people?q=an"},
		{name: "people by one letter", path: "/people?q=a"},
		{name: "people by word", path: "/people?q=anna"},
		{name: "people by two words", path: "/people?q=anna+baber"},
		{name: "people by rare words", path: "/people?q=zoe+zasterhof"},
		{name: "people by e-mail", path: "/people?q=" + name},
		{name: "people by number", path: "/people?q=0000815"},
		{name: "people nobody", path: "/people?q=qqqq"},
		{name: "people of a stage", path: "/people?stage=leaver"},
		{name: "people of a common stage", path: "/people?stage=active"},
		{name: "people of a rare stage", path: "/people?stage=prehire"},
		{name: "people of a role", path: "/people?role=dept-007"},
		{name: "people of a role of all", path: "/people?role=employee"},
		{name: "people of a role of nobody", path: "/people?role=lead"},
		{name: "people at a target", path: "/people?target=git"},
		{name: "people of a department", path: "/people?department=Dept+007"},
		{name: "people of stage and role", path: "/people?stage=leaver&role=dept-008"},
		{name: "people of stage and department", path: "/people?stage=prehire&department=Dept+011"},
		{name: "people, word and role", path: "/people?q=anna&role=dept-008"},
		{name: "people, word and stage", path: "/people?q=a&stage=prehire"},
		{name: "person", path: "/people/" + w.person},
		{name: "person at a moment", path: "/people/" + w.person + "?at=2026-11-01"},
		{name: "busy person", path: "/people/" + w.boss},
		{name: "timeline", path: "/people/" + w.boss + "/timeline"},
		{name: "cases", path: "/cases"},
		{name: "targets", path: "/targets"},
		{name: "target", path: "/targets/git"},
		{name: "accounts", path: "/targets/git/accounts"},
		{name: "accounts in sync", path: "/targets/git/accounts?state=in_sync"},
		{name: "accounts failed", path: "/targets/git/accounts?state=failed"},
		{name: "accounts held", path: "/targets/git/accounts?state=held"},
		{name: "accounts drifted", path: "/targets/git/accounts?state=drifted"},
		{name: "accounts deleted", path: "/targets/git/accounts?state=deleted"},
		{name: "accounts failing in one way", path: "/targets/git/accounts?class=throttled"},
		{name: "groups at a target", path: "/targets/git/groups"},
		{name: "probe", path: "/targets/git/probe"},
		{name: "groups", path: "/groups"},
		{name: "groups by beginning", path: "/groups?q=app-git-00"},
		{name: "groups failed", path: "/groups?state=failed"},
		{name: "roles", path: "/roles"},
		{name: "role of all", path: "/roles/employee"},
		{name: "role of many", path: "/roles/dept-007"},
		{name: "policy", path: "/policy"},
		{name: "policy version", path: "/policy/1"},
		{name: "policy change", path: "/policy/change"},
		{name: "conflicts", path: "/conflicts"},
		{name: "requests", path: "/requests"},
		{name: "requests pending", path: "/requests?state=pending"},
		{name: "requests ended", path: "/requests?state=ended"},
		{name: "requests denied", path: "/requests?state=denied"},
		{name: "own requests", path: "/requests", as: boss},
		{name: "request", path: "/requests/" + w.request},
		{name: "approvals", path: "/approvals"},
		{name: "approvals of a manager", path: "/approvals", as: boss},
		{name: "deputies", path: "/deputies"},
		{name: "reviews", path: "/reviews"},
		{name: "reviews of a manager", path: "/reviews", as: boss},
		{name: "reviews closed", path: "/reviews?state=closed"},
		{name: "review", path: "/reviews/" + w.review},
		{name: "review of a reviewer", path: "/reviews/" + w.review, as: boss},
		{name: "review, by person", path: "/reviews/" + w.review + "?by=person&state=any"},
		{name: "review, of risk", path: "/reviews/" + w.review + "?risk=high"},
		{name: "review, to be revoked", path: "/reviews/" + w.review + "?recommend=revoke"},
		{name: "review, of risk and to be revoked", path: "/reviews/" + w.review + "?risk=high&recommend=revoke", as: boss},
		{name: "review, of one person", path: "/reviews/" + w.review + "?person=" + w.person},
		{name: "review, decided", path: "/reviews/" + w.review + "?state=decided"},
		{name: "review item", path: "/reviews/" + w.review + "/items/" + w.item},
		{name: "review report", path: "/reviews/" + w.review + "/report"},
		{name: "review export", path: "/reviews/" + w.review + "/export?format=csv", first: true},
		{name: "new review", path: "/reviews/new"},
		{name: "new review, counted", path: "/reviews/new?count=1&name=x&role=staff&due=14d"},
		{name: "new review of a target, counted", path: "/reviews/new?count=1&name=x&target=git&due=14d"},
		{name: "exclusions", path: "/reviews/exclusions"},
		{name: "tasks", path: "/tasks"},
		{name: "tasks closed", path: "/tasks?state=closed"},
		{name: "tasks of a target", path: "/tasks?target=git"},
		{name: "own tasks", path: "/tasks?mine=true", as: boss},
		{name: "task", path: "/tasks/" + w.task},
		{name: "leavers", path: "/leavers"},
		{name: "leavers open", path: "/leavers?open=true"},
		{name: "drift", path: "/drift"},
		{name: "drift of a target", path: "/drift?target=git"},
		{name: "drift of a kind", path: "/drift?target=git&kind=missing"},
		{name: "findings", path: "/findings"},
		{name: "findings of a kind", path: "/findings?kind=manager"},
		{name: "findings of a source", path: "/findings?source=hr"},
		{name: "findings of a kind and source", path: "/findings?source=hr&kind=conflict"},
		{name: "audit", path: "/audit"},
		{name: "audit by action", path: "/audit?action=request.approve"},
		{name: "audit by a rare actor", path: "/audit?actor=nobody"},
		{name: "audit of a person", path: "/audit?person=" + w.person},
		{name: "audit of a span", path: "/audit?since=2026-01-01&until=2026-06-01&action=account"},
		{name: "audit export, first byte", path: "/audit/export?format=csv", first: true},
		{name: "evidence", path: "/evidence"},
		{name: "evidence, a target now", path: "/evidence?target=git"},
		{name: "evidence, a target once", path: "/evidence?target=git&at=2026-06-01"},
		{name: "evidence, a target over time", path: "/evidence?target=git&from=2026-01-01&until=2026-06-01"},
		{name: "evidence, a group", path: "/evidence?target=chat&group=room-007"},
		{name: "evidence, a group of nobody", path: "/evidence?target=chat&group=leads"},
		{name: "evidence, a role", path: "/evidence?role=dept-007"},
		{name: "evidence, a role of all once", path: "/evidence?role=employee&at=2026-06-01"},
		{name: "evidence, a role of nobody", path: "/evidence?role=lead"},
		{name: "evidence, a person", path: "/evidence?kind=person&person=" + w.person},
		{name: "evidence, a busy person", path: "/evidence?kind=person&person=" + w.boss},
		{name: "evidence, a review", path: "/evidence?kind=review&review=" + w.review},
		{name: "evidence, conflicts", path: "/evidence?kind=conflicts"},
		{name: "evidence, leavers", path: "/evidence?kind=leavers"},
		{name: "evidence file, first byte", path: "/evidence/file?kind=access&target=git&format=csv", first: true},
		{name: "settings", path: "/settings"},
		{name: "source", path: "/settings/sources/hr"},
		{name: "tokens", path: "/settings/tokens"},
		{name: "sessions", path: "/settings/sessions"},
		{name: "own sessions", path: "/settings/sessions?mine=true", as: boss},
		{name: "deliveries", path: "/settings/deliveries"},
		{name: "deliveries failed", path: "/settings/deliveries?state=failed"},
		{name: "about", path: "/settings/about"},
	}
}
