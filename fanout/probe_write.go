package fanout

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// sample is what the probe writes of an account, part by part, so that what an
// application refuses can be told from what it takes.
func (p *prober) sample(userName string) map[string]any {
	return map[string]any{
		"schemas": []any{scim.URNUser}, "userName": userName, "active": true,
		"name": map[string]any{"givenName": "Scimhub", "familyName": "Probe"}, "displayName": "Scimhub Probe",
		"emails": []any{map[string]any{"value": userName, "type": "work", "primary": true}},
	}
}

// extras are parts that not every application takes or keeps.
func (p *prober) extras(userName string) map[string]any {
	return map[string]any{
		"externalId":       "probe-" + p.options.Mark,
		"title":            "Probe",
		"phoneNumbers":     []any{map[string]any{"value": "+1 555 0100", "type": "work"}},
		"emails":           []any{map[string]any{"value": userName, "type": "work", "primary": true}, map[string]any{"value": "2-" + userName, "type": "home"}},
		scim.URNEnterprise: map[string]any{"department": "Probe"},
		"scimhubUnknown":   "probe",
	}
}

func (p *prober) name(prefix string) string {
	domain := p.options.Domain
	if _, d, ok := strings.Cut(p.known.userName, "@"); domain == "" && ok {
		domain = d
	}
	if domain == "" {
		domain = "example.com"
	}
	return prefix + "-" + p.options.Mark + "@" + domain
}

// shortName fits where user names may be short.
func (p *prober) shortName() string {
	return "p" + p.options.Mark[:min(5, len(p.options.Mark))] + "@ex.co"
}

// takes tries whether the least an account can be is taken under a user name; a
// second account is what pages are tried with.
func (p *prober) takes(ctx context.Context, userName string) bool {
	first := "2" + userName
	a, err := p.send(ctx, "POST", "/Users", p.sample(first))
	if err != nil || !a.ok() || a.id() == "" {
		return err != nil || a.status >= 500
	}
	p.made("account", userPath(a.id()), first)
	return true
}

// makeUser makes the account that the experiments are made on. What is refused as a
// whole is tried again without each part, until the part is found.
func (p *prober) makeUser(ctx context.Context) bool {
	userName := p.name("scimhub-probe")
	if !p.takes(ctx, userName) {
		userName = p.shortName()
		p.note("the user name %s was refused; %s is tried instead: attr_limits", p.name("scimhub-probe"), userName)
	}
	full := p.sample(userName)
	extras := p.extras(userName)
	maps.Copy(full, extras)
	full["schemas"] = []any{scim.URNUser, scim.URNEnterprise}
	a, err := p.send(ctx, "POST", "/Users", full)
	var refused []string
	if err == nil && a.status >= 400 && a.status < 500 && a.status != 409 {
		a, refused, err = p.withoutRefused(ctx, userName, extras)
	}
	if err != nil || !a.ok() {
		p.unknown("writing: an account could not be created: %s", a.words(err))
		return false
	}
	id := a.id()
	if id == "" {
		if i := strings.LastIndex(a.header.Get("Location"), "/Users/"); i >= 0 {
			id = a.header.Get("Location")[i+len("/Users/"):]
		}
	}
	if id == "" {
		p.report.Left = append(p.report.Left, "account "+userName+": the answer to its creation names no id")
		p.unknown("writing: the answer to a create names no id")
		return false
	}
	p.made("account", userPath(id), userName)
	if a.doc == nil {
		p.found("echoes_body", false, "a create was answered %d without a body", a.status)
	}
	p.known = knownUser{id: id, userName: userName, externalID: "probe-" + p.options.Mark, email: userName, ours: true}
	p.readBack(ctx, refused)
	return true
}

func userPath(id string) string { return "/Users/" + url.PathEscape(id) }

// withoutRefused adds the extras one by one to an account that is taken without them.
func (p *prober) withoutRefused(ctx context.Context, userName string, extras map[string]any) (a probeAnswer, refused []string, err error) {
	doc := p.sample(userName)
	a, err = p.send(ctx, "POST", "/Users", doc)
	if err != nil || !a.ok() || a.id() == "" {
		return a, nil, err
	}
	for _, attr := range slices.Sorted(maps.Keys(extras)) {
		whole := maps.Clone(doc)
		whole[attr] = extras[attr]
		if strings.HasPrefix(attr, "urn:") {
			whole["schemas"] = []any{scim.URNUser, attr}
		}
		b, err := p.send(ctx, "PUT", userPath(a.id()), whole)
		if err != nil || b.status == 405 || b.status == 501 {
			p.unknown("which attributes are refused: a create with all of them was, and PUT cannot be used to find out which")
			break
		}
		if !b.ok() {
			refused = append(refused, attr)
			continue
		}
		doc = whole
	}
	return a, refused, nil
}

// readBack compares what was written with what is shown.
func (p *prober) readBack(ctx context.Context, refused []string) {
	doc := p.read(ctx)
	if doc == nil {
		p.note("the account that was just created cannot be read")
		return
	}
	var drops []string
	for _, attr := range []string{"displayName", "name.familyName", "title", "phoneNumbers", scim.URNEnterprise + ":department", "externalId"} {
		switch {
		case slices.ContainsFunc(refused, func(r string) bool { return strings.HasPrefix(attr, r) }):
			drops = append(drops, attr)
			p.note("%s is refused", attr)
		case shownAt(doc, attr) == nil:
			drops = append(drops, attr)
			p.note("%s is taken and not shown again", attr)
		}
	}
	if slices.Contains(drops, "externalId") {
		p.found("stores_external_id", false, "externalId was written and is not shown")
		drops = slices.DeleteFunc(drops, func(d string) bool { return d == "externalId" })
	} else {
		p.found("stores_external_id", true, "externalId was written and is shown")
	}
	if len(drops) > 0 {
		p.found("drops", drops, "refused, or written and not shown again")
	}
	if slices.Contains(refused, "scimhubUnknown") {
		p.found("send_unknown_attrs", false, "an attribute that no schema has was refused")
		p.note("known_attrs: list the attributes that the application's documentation names")
	}
	if emails, _ := field(doc, "emails"); len(asList(emails)) == 1 || slices.Contains(refused, "emails") {
		p.found("single_valued", true, "of two e-mail addresses one is kept")
	}
	userName, _ := field(doc, "userName")
	if got := scalarText(plain(userName)); got != p.known.userName && strings.EqualFold(got, p.known.userName) {
		p.found("user_name_folds", true, "the user name comes back as %q", got)
	}
}

func shownAt(doc map[string]any, path string) any {
	a, err := parseAttr(path)
	if err != nil {
		return nil
	}
	return a.get(doc)
}

// read reads the probe's account; nil where it cannot be.
func (p *prober) read(ctx context.Context) map[string]any {
	a, err := p.send(ctx, "GET", userPath(p.known.id), nil)
	if err != nil || !a.ok() {
		return nil
	}
	return a.doc
}

// conflict creates the same account again.
func (p *prober) conflict(ctx context.Context) {
	a, err := p.send(ctx, "POST", "/Users", p.sample(p.known.userName))
	switch {
	case err != nil:
		return
	case a.ok():
		p.note("two accounts may have the same userName: the application does not keep them apart")
		if id := a.id(); id != "" && id != p.known.id {
			p.made("account", userPath(id), p.known.userName)
		}
		return
	}
	kind, _ := field(a.doc, "scimType")
	if a.status != http.StatusConflict {
		p.found("conflict.status", []int{409, a.status}, "an account that exists was refused with %d", a.status)
	}
	if text := scalarText(plain(kind)); text != "uniqueness" {
		p.found("conflict.scim_type", text, "scimType of that refusal is %q", text)
	}
}

// putting tries PUT without an attribute that is there.
func (p *prober) putting(ctx context.Context) {
	doc := p.sample(p.known.userName)
	had := shownAt(p.read(ctx), "title") != nil
	a, err := p.send(ctx, "PUT", userPath(p.known.id), doc)
	switch {
	case err != nil:
	case a.ok():
		p.found("put.supported", true, "a PUT was answered %d", a.status)
		if had {
			kept := shownAt(p.read(ctx), "title") != nil
			p.found("put.clears_missing", !kept, "title was left out and is %s", map[bool]string{true: "still there", false: "gone"}[kept])
		}
	case a.status == 405 || a.status == 501:
		p.found("put.supported", false, "PUT was answered %s", a.words(nil))
	default:
		p.note("a PUT was refused: %s", a.words(nil))
	}
	p.extensions(ctx, err == nil && a.ok())
	p.lists(ctx, err == nil && a.ok())
}

// versions tries a condition that cannot be met.
func (p *prober) versions(ctx context.Context) {
	doc := p.read(ctx)
	version := shownAt(doc, "meta.version")
	body := map[string]any{"schemas": []any{patchSchema}, "Operations": []any{map[string]any{"op": "replace", "path": "displayName", "value": "Probe Five"}}}
	method := "PATCH"
	if !p.patches {
		method, body = "PUT", p.sample(p.known.userName)
	}
	a, err := p.send(ctx, method, userPath(p.known.id), body, func(r *http.Request) { r.Header.Set("If-Match", `W/"no-such-version"`) })
	if err == nil && a.status == http.StatusPreconditionFailed {
		p.found("etag", true, "a write with a wrong If-Match was answered 412")
	} else if err == nil && a.ok() {
		p.found("etag", false, "a write with a wrong If-Match was carried out%s", map[bool]string{true: ", though versions are shown", false: ""}[version != nil])
	}
}

// renaming changes the user name and back.
func (p *prober) renaming(ctx context.Context) {
	other := p.name("probe-renamed")
	if !p.write(ctx, "userName", other) {
		p.found("rename.user", false, "a new userName was refused or is not shown")
		return
	}
	p.found("rename.user", true, "a new userName was taken and is shown")
	p.write(ctx, "userName", p.known.userName)
}

// write changes one attribute in whichever way works, and says whether it is shown.
func (p *prober) write(ctx context.Context, attr string, value any) bool {
	if p.patches {
		op := map[string]any{"op": "replace", "path": attr, "value": value}
		if p.values["patch.without_path"] == "required" {
			op = map[string]any{"op": "replace", "value": map[string]any{attr: value}}
		}
		if a, err := p.patch(ctx, op); err != nil || !a.ok() {
			return false
		}
	} else {
		doc := p.sample(p.known.userName)
		doc[attr] = value
		if a, err := p.send(ctx, "PUT", userPath(p.known.id), doc); err != nil || !a.ok() {
			return false
		}
	}
	return p.shows(ctx, attr, fmt.Sprint(value))
}

// switching turns the account off, changes it, and turns it on again.
func (p *prober) switching(ctx context.Context) {
	if !p.write(ctx, "active", false) {
		if p.read(ctx) == nil {
			p.note("an account that is switched off can no longer be read: disabling removes it")
			p.forgotten(userPath(p.known.id))
			p.known = knownUser{}
			return
		}
		p.note("active: false was refused or is not shown; how accounts are switched off has to be found in the documentation")
		return
	}
	p.found("disable", "active", "active: false was taken and is shown")
	if found, _ := p.tryFilter(ctx, "/Users", equals("userName", p.known.userName), p.known.id); !found {
		p.note("a switched-off account is not found by userName any more: somebody who comes back is met by 409")
	}
	if p.write(ctx, "displayName", "Probe Off") {
		p.found("update_when_inactive", "yes", "a switched-off account could be changed")
	} else {
		p.found("update_when_inactive", "with_reactivation", "a switched-off account could not be changed")
	}
	if !p.write(ctx, "active", true) {
		p.note("a switched-off account could not be switched on again")
	}
}

// deleting removes the account and looks what became of it.
func (p *prober) deleting(ctx context.Context) {
	if p.known.id == "" || !p.known.ours {
		return
	}
	a, err := p.send(ctx, "DELETE", userPath(p.known.id), nil)
	if err != nil {
		return
	}
	if !a.ok() {
		p.found("delete", "forbidden", "DELETE was answered %s", a.words(nil))
		return
	}
	doc := p.read(ctx)
	if doc == nil {
		p.forgotten(userPath(p.known.id))
		p.found("delete", "hard", "after DELETE the account cannot be read; what is destroyed with it only the vendor can say")
		p.again(ctx)
		return
	}
	if u, err := userOf(doc); err == nil && !u.Active {
		p.found("delete", "disable", "after DELETE the account is there and inactive")
		p.note("the probe's account %s stays, inactive: it cannot be deleted", p.known.userName)
		return
	}
	p.found("delete", "forbidden", "after DELETE (%d) the account is still there and active", a.status)
}

// again creates the deleted account once more: whether it comes back under its id.
func (p *prober) again(ctx context.Context) {
	a, err := p.send(ctx, "POST", "/Users", p.sample(p.known.userName))
	if err != nil || !a.ok() || a.id() == "" {
		p.note("after DELETE the same user name cannot be used again: %s", a.words(err))
		return
	}
	p.made("account", userPath(a.id()), p.known.userName)
	p.found("restore.same_id", a.id() == p.known.id, "created again after DELETE, the account has %s id", map[bool]string{true: "its old", false: "a new"}[a.id() == p.known.id])
}
