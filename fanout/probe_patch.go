package fanout

import (
	"context"
	"slices"

	"github.com/scimhub/scimhub/model/scim"
)

// patching tries the forms of PATCH; each is believed only when reading shows it.
func (p *prober) patching(ctx context.Context) {
	a, err := p.patch(ctx, map[string]any{"op": "replace", "path": "displayName", "value": "Probe One"})
	p.patches = err == nil && a.ok() && p.shows(ctx, "displayName", "Probe One")
	said := p.said.patch
	switch {
	case p.patches && said != nil && !*said:
		p.found("patch.supported", true, "ServiceProviderConfig says no, but it works")
	case p.patches:
		p.found("patch.supported", true, "a replace of displayName was answered %d and shown", a.status)
	case err == nil && (a.status == 405 || a.status == 501):
		p.found("patch.supported", false, "PATCH was answered %s", a.words(nil))
	}
	if p.patches {
		if a.doc == nil {
			p.found("echoes_body", false, "a PATCH was answered %d without a body", a.status)
		}
		p.patchForms(ctx)
		return
	}
	if b, err := p.patch(ctx, map[string]any{"op": "replace", "value": map[string]any{"displayName": "Probe Two"}}); err == nil && b.ok() && p.shows(ctx, "displayName", "Probe Two") {
		p.patches = true
		p.values["patch.supported"] = true
		p.found("patch.without_path", "required", "a replace works without path and not with one")
	} else if _, have := p.values["patch.supported"]; !have {
		p.found("patch.supported", false, "a replace of displayName was answered %s and is not shown", a.words(err))
	}
}

func (p *prober) patchForms(ctx context.Context) {
	b, err := p.patch(ctx, map[string]any{"op": "replace", "value": map[string]any{"displayName": "Probe Three"}})
	if err == nil && b.ok() && p.shows(ctx, "displayName", "Probe Three") {
		p.found("patch.without_path", "never", "both forms work; paths are clearer") // generic's word
	}
	b, err = p.patch(ctx, map[string]any{"op": "replace", "path": "displayName", "value": "Probe Four"}, map[string]any{"op": "replace", "path": "name.familyName", "value": "Four"})
	if err == nil && (!b.ok() || !p.shows(ctx, "name.familyName", "Four")) {
		p.found("patch.max_ops", 1, "two operations in one request were answered %s and not both carried out", b.words(nil))
	}
	b, err = p.patch(ctx, map[string]any{"op": "replace", "path": `emails[type eq "work"].value`, "value": p.known.email})
	if err == nil && !b.ok() {
		p.note("a PATCH of an element by value path is refused: %s", b.words(nil))
	}
}

func (p *prober) patch(ctx context.Context, operations ...map[string]any) (probeAnswer, error) {
	return p.patchAt(ctx, userPath(p.known.id), operations...)
}

func (p *prober) patchAt(ctx context.Context, path string, operations ...map[string]any) (probeAnswer, error) {
	list := make([]any, len(operations))
	for i, o := range operations {
		list[i] = o
	}
	return p.send(ctx, "PATCH", path, map[string]any{"schemas": []any{patchSchema}, "Operations": list})
}

func (p *prober) shows(ctx context.Context, path, want string) bool {
	doc := p.read(ctx)
	return doc != nil && scalarText(plain(shownAt(doc, path))) == want
}

// lists replaces the e-mail addresses by one of another kind: some applications keep
// those that the new list does not name. Then accounts are written with PUT.
func (p *prober) lists(ctx context.Context, put bool) {
	if !p.patches {
		return
	}
	home := []any{map[string]any{"value": p.known.email, "type": "home"}}
	a, err := p.patch(ctx, map[string]any{"op": "replace", "path": "emails", "value": home})
	if err != nil || !a.ok() {
		return
	}
	emails, _ := field(p.read(ctx), "emails")
	if len(asList(emails)) < 2 {
		return
	}
	if put {
		if b, err := p.send(ctx, "PUT", userPath(p.known.id), p.sample(p.known.userName)); err == nil && b.ok() {
			emails, _ = field(p.read(ctx), "emails")
			put = len(asList(emails)) == 1
		}
	}
	if put {
		p.revise("patch.supported", false, "replacing the e-mail addresses with PATCH was answered %s and kept those that the new list does not name; PUT does not", a.words(nil))
		p.patches = false
		return
	}
	p.note("replacing a list with PATCH was answered %s and keeps what the new list does not name", a.words(nil))
}

// extensions changes and removes an attribute of an extension where one is kept: some
// applications take the URN in a path for the name of something else, say that all is
// well, and change nothing. Then accounts are written with PUT, if there is PUT.
func (p *prober) extensions(ctx context.Context, put bool) {
	department := scim.URNEnterprise + ":department"
	if drops, _ := p.values["drops"].([]string); !p.patches || slices.Contains(drops, department) {
		return
	}
	set, err := p.patch(ctx, map[string]any{"op": "replace", "path": department, "value": "Probe Two"})
	if err != nil {
		return
	}
	words := "changing"
	if set.ok() && p.shows(ctx, department, "Probe Two") {
		if set, err = p.patch(ctx, map[string]any{"op": "remove", "path": department}); err != nil || set.ok() && p.shows(ctx, department, "") {
			return
		}
		words = "removing"
	}
	if put {
		p.revise("patch.supported", false, "%s %s with PATCH was answered %s and not carried out; PUT works", words, department, set.words(nil))
		p.patches = false
		return
	}
	p.note("%s %s with PATCH was answered %s and not carried out: map no attribute of an extension", words, department, set.words(nil))
}
