package conformance

import (
	"slices"
	"strings"
)

const attrText = "RFC 7643 §7"

// attributeChecks are made for every attribute that the service's own schemas
// advertise, of every resource type.
func attributeChecks() []check {
	why := "The schema advertises what does not work; clients that map from it lose values."
	plain := func(_ *resourceType, a *attribute) bool {
		return a.writable() && a.shown() && a.returned != "request"
	}
	changing := func(t *resourceType, a *attribute) bool { return plain(t, a) && a.mutability == "readWrite" }
	optional := func(t *resourceType, a *attribute) bool { return changing(t, a) && !a.required }
	simple := func(t *resourceType, a *attribute) bool { return plain(t, a) && a.kind != "complex" && !a.multi }
	return []check{
		must("attr.create", attrText, "A value given to POST is read back equal", why, attrCreate).over(attributes(plain)),
		must("attr.put", putText, "A value given to PUT is read back equal", why, attrPut).over(attributes(changing)),
		must("attr.patch-add", patchText+".1", "A value added by PATCH is read back equal", why, attrPatchAdd).over(attributes(changing)).with("patch"),
		must("attr.patch-replace", patchText+".3", "A value replaced by PATCH is read back equal", why, attrPatchReplace).over(attributes(changing)).with("patch"),
		must("attr.patch-remove", patchText+".2", "An attribute removed by PATCH is gone", why, attrPatchRemove).over(attributes(optional)).with("patch"),
		must("attr.patch-sub", patchText+".3", "A sub-attribute replaced by PATCH is read back equal", why, attrPatchSub).over(subAttributes).with("patch"),
		must("attr.select", "RFC 7644 §3.9", "attributes shows the attribute", why, attrSelect).over(attributes(plain)),
		must("attr.exclude", "RFC 7644 §3.9", "excludedAttributes hides the attribute, unless it is returned always", why, attrExclude).over(attributes(plain)),
		must("attr.filter", filterText, "A filter with eq finds the value, with the case as caseExact says", "Clients match by the attribute and find nobody, or somebody else.", attrFilter).over(attributes(simple)).with("filter"),
		must("attr.wrong-type", "RFC 7643 §2.3", "A value of another type is 400", "The directory holds what no client can read.", attrWrongType).over(attributes(plain)),
		must("attr.read-only", "RFC 7644 §3.3", "A value given to POST for a readOnly attribute is ignored", "Clients can forge it.", attrReadOnly).over(attributes(func(_ *resourceType, a *attribute) bool { return !a.writable() })),
		must("attr.immutable", putText, "A value of an immutable attribute cannot be changed: 400 mutability", "What others rely on changes under them.", attrImmutable).
			over(attributes(func(t *resourceType, a *attribute) bool { return plain(t, a) && a.mutability == "immutable" })),
		must("attr.unique", "RFC 7644 §3.3", "A value of a unique attribute that another has is 409 uniqueness", "Two people have the same number.", attrUnique).
			over(attributes(func(t *resourceType, a *attribute) bool {
				return simple(t, a) && (a.uniqueness == "server" || a.uniqueness == "global") && a.kind == "string" && !strings.EqualFold(a.name, "userName")
			})),
		must("attr.required", "RFC 7644 §3.12", "A resource without a required attribute is 400", "Half-filled resources that clients cannot use.", attrRequired).
			over(attributes(func(t *resourceType, a *attribute) bool { return a.required && a.writable() && !known(t, a) })),
		must("attr.never", attrText, "An attribute that is returned never is not, even if asked for", "Secrets can be read.", attrNever).
			over(attributes(func(_ *resourceType, a *attribute) bool {
				return a.writable() && a.returned == "never" && !strings.EqualFold(a.name, "password")
			})),
		must("attr.request", attrText, "An attribute that is returned on request is shown only then", "Answers are larger than they need to be.", attrRequest).
			over(attributes(func(_ *resourceType, a *attribute) bool { return a.writable() && a.returned == "request" })),
		must("attr.always", attrText, "An attribute that is returned always is, whatever is asked for", "Clients miss what they rely on.", attrAlways).
			over(attributes(func(t *resourceType, a *attribute) bool { return plain(t, a) && a.returned == "always" })),
		must("attr.all", attrText, "A resource with a value for every attribute is accepted and read back equal", why, attrAll).over(everyType),
	}
}

// known attributes have checks of their own.
func known(t *resourceType, a *attribute) bool {
	return strings.EqualFold(t.name, "User") && strings.EqualFold(a.name, "userName") ||
		strings.EqualFold(t.name, "Group") && strings.EqualFold(a.name, "displayName")
}

// attributes are the subjects that the checks of attributes are made for.
func attributes(want func(*resourceType, *attribute) bool) func(*suite) []subject {
	return func(s *suite) []subject {
		var out []subject
		for _, t := range s.types {
			for _, a := range s.attributesOf(t) {
				common := slices.Contains([]string{"id", "schemas", "meta", "externalid"}, strings.ToLower(a.name)) && a.extension == ""
				if !common && want(t, a) {
					out = append(out, subject{t.name + " " + a.path(), t, a})
				}
			}
		}
		return out
	}
}

// subAttributes are those of complex attributes with one value.
func subAttributes(s *suite) []subject {
	var out []subject
	for _, o := range attributes(func(_ *resourceType, a *attribute) bool {
		return a.kind == "complex" && !a.multi && !a.reference() && a.mutability == "readWrite" && a.shown()
	})(s) {
		for _, b := range o.attr.sub {
			if b.mutability == "readWrite" && b.shown() {
				out = append(out, subject{o.typ.name + " " + b.path(), o.typ, b})
			}
		}
	}
	return out
}

func everyType(s *suite) []subject {
	var out []subject
	for _, t := range s.types {
		out = append(out, subject{name: t.name, typ: t})
	}
	return out
}

// value is a new valid value for an attribute. For references somebody is made to
// refer to.
func (p *probe) value(a *attribute) any {
	if !a.reference() {
		v := p.sample(a)
		if v == nil {
			p.skip("this run knows no valid value for it")
		}
		return v
	}
	if p.users() == nil {
		p.skip("there is nobody to refer to")
		return nil
	}
	_, u := p.user()
	v := object{"value": u.id()}
	if a.multi {
		return array{v}
	}
	return v
}

// without is the base of a new resource in which the attribute is not set, unless
// it must be.
func (p *probe) without() object {
	body := p.body(p.subject.typ)
	if a := p.subject.attr; a.extension == "" && !a.required {
		delete(body, a.name)
	}
	return body
}

func (p *probe) attrIs(at *answer, v any) { p.has(at, v, p.subject.attr.keys()...) }

// given makes a resource that has the value.
func (p *probe) given(v any) (string, *answer) {
	return p.create(p.subject.typ, p.subject.attr.in(p.without(), v))
}

func attrCreate(p *probe) {
	v := p.value(p.subject.attr)
	path, _ := p.given(v)
	p.attrIs(p.read(path), v)
}

func attrPut(p *probe) {
	body := p.without()
	path, _ := p.create(p.subject.typ, body)
	v := p.value(p.subject.attr)
	p.status(p.put(path, p.subject.attr.in(body, v)), 200, 204)
	p.attrIs(p.read(path), v)
}

func attrPatchAdd(p *probe) {
	path, u := p.create(p.subject.typ, p.without())
	v := p.value(p.subject.attr)
	a := p.patched(path, op("add", p.subject.attr.path(), v))
	if given := list(dig(u.obj, p.subject.attr.keys()...)); len(given) > 0 {
		// The service gave a default (RFC 7644 §3.3), which add leaves.
		got := list(dig(a.obj, p.subject.attr.keys()...))
		p.that(len(got) == len(given)+1 && slices.ContainsFunc(got, func(e any) bool { return includes(list(v)[0], e) }), show(v)+" beside what was there", show(got))
		return
	}
	p.attrIs(a, v)
}

func attrPatchReplace(p *probe) {
	path, _ := p.given(p.value(p.subject.attr))
	v := p.value(p.subject.attr)
	p.attrIs(p.patched(path, op("replace", p.subject.attr.path(), v)), v)
}

func attrPatchRemove(p *probe) {
	v := p.value(p.subject.attr)
	path, _ := p.given(v)
	a := p.patched(path, op("remove", p.subject.attr.path(), nil))
	if p.done || p.subject.attr.kind == "boolean" {
		return // a service may give it a default again (RFC 7644 §3.3), such as true
	}
	got := dig(a.obj, p.subject.attr.keys()...)
	p.that(!includes(v, got), "no value, or a default", show(got))
}

func attrPatchSub(p *probe) {
	b := p.subject.attr
	outer := b.parent
	path, _ := p.create(p.subject.typ, outer.in(p.body(p.subject.typ), p.value(outer)))
	v := p.value(b)
	p.attrIs(p.patched(path, op("replace", b.path(), v)), v)
}

func attrSelect(p *probe) {
	v := p.value(p.subject.attr)
	path, u := p.given(v)
	a := p.get(query(path, "attributes", p.subject.attr.path()))
	p.status(a, 200)
	p.attrIs(a, v)
	p.has(a, u.id(), "id")
}

func attrExclude(p *probe) {
	v := p.value(p.subject.attr)
	path, _ := p.given(v)
	a := p.get(query(path, "excludedAttributes", p.subject.attr.path()))
	p.status(a, 200)
	if p.subject.attr.returned == "always" {
		p.attrIs(a, v)
		return
	}
	p.lacks(a, p.subject.attr.keys()...)
}

func attrFilter(p *probe) {
	a := p.subject.attr
	v := p.value(a)
	word, isText := v.(string)
	if isText && !strings.Contains(word, p.run) && a.kind != "dateTime" || a.kind == "boolean" || a.kind == "binary" {
		p.skip("its values are not different enough to be looked for")
	}
	path, u := p.given(v)
	ask := func(v any, found bool) {
		want := []string{}
		if found {
			want = []string{u.id()}
		}
		p.exactly(p.get(query(p.subject.typ.endpoint, "filter", a.path()+" eq "+string(encodeValue(v)))), []string{u.id()}, want)
	}
	if path == "" {
		return
	}
	ask(v, true)
	if isText && a.kind == "string" {
		ask(strings.ToUpper(word), !a.caseExact)
	}
}

func encodeValue(v any) []byte {
	if s, ok := v.(string); ok {
		return encodeText(s)
	}
	return encode(v)
}

func attrWrongType(p *probe) {
	a := p.subject.attr
	wrong, ok := map[string]any{"string": object{"a": 1}, "boolean": "perhaps", "integer": "many", "decimal": "much",
		"datetime": "yesterday", "binary": "%%%", "reference": object{"a": 1}, "complex": 5}[strings.ToLower(a.kind)]
	if !ok {
		p.skip("the type %q is not one of the RFC", a.kind)
	}
	if a.multi {
		wrong = array{wrong}
	}
	p.refused(p.post(p.subject.typ.endpoint, a.in(p.without(), wrong)), 400)
}

func attrReadOnly(p *probe) {
	a := p.subject.attr
	v := p.simple(a)
	if a.kind == "complex" {
		v = object{"value": p.unique()}
	}
	if v == nil || a.kind == "boolean" {
		p.skip("this run knows no value to try it with")
	}
	if a.multi {
		v = array{v}
	}
	path, _ := p.given(v)
	got := dig(p.read(path).obj, a.keys()...)
	p.that(p.done || !includes(v, got), "another value, or none", show(got))
}

func attrImmutable(p *probe) {
	a := p.subject.attr
	v := p.value(a)
	body := a.in(p.without(), v)
	path, _ := p.create(p.subject.typ, body)
	p.status(p.put(path, body), 200, 204)
	p.kind(p.put(path, a.in(body, p.value(a))), 400, "mutability")
	if p.features["patch"] {
		p.kind(p.patch(path, op("replace", a.path(), p.value(a))), 400, "mutability")
	}
	p.attrIs(p.read(path), v)
}

func attrUnique(p *probe) {
	v := p.value(p.subject.attr)
	p.given(v)
	p.kind(p.post(p.subject.typ.endpoint, p.subject.attr.in(p.without(), v)), 409, "uniqueness")
}

func attrRequired(p *probe) {
	a := p.subject.attr
	body := p.body(p.subject.typ)
	if a.extension != "" && body[a.extension] == nil {
		// An extension that is not required may be missing as a whole; a part of it may not.
		other := slices.IndexFunc(p.schemaOf(a.extension).attributes, func(b *attribute) bool { return b != a && b.writable() && b.kind != "complex" })
		if other < 0 {
			p.skip("the extension has nothing else to send")
			return
		}
		b := p.schemaOf(a.extension).attributes[other]
		body = b.in(body, p.value(b))
	} else {
		body = a.in(body, nil)
		if a.extension == "" {
			delete(body, a.name)
		}
	}
	p.refused(p.post(p.subject.typ.endpoint, body), 400)
}

func attrNever(p *probe) {
	path, _ := p.given(p.value(p.subject.attr))
	p.lacks(p.read(path), p.subject.attr.keys()...)
	a := p.get(query(path, "attributes", p.subject.attr.path()))
	p.lacks(a, p.subject.attr.keys()...)
}

func attrRequest(p *probe) {
	v := p.value(p.subject.attr)
	path, _ := p.given(v)
	p.lacks(p.read(path), p.subject.attr.keys()...)
	a := p.get(query(path, "attributes", p.subject.attr.path()))
	p.status(a, 200)
	p.attrIs(a, v)
}

func attrAlways(p *probe) {
	v := p.value(p.subject.attr)
	path, _ := p.given(v)
	p.attrIs(p.get(query(path, "attributes", "id")), v)
	p.attrIs(p.get(query(path, "excludedAttributes", p.subject.attr.path())), v)
}

func attrAll(p *probe) {
	body := p.body(p.subject.typ)
	want := object{}
	for _, a := range p.attributesOf(p.subject.typ) {
		v := p.sample(a)
		if v == nil || !a.writable() {
			continue
		}
		body = a.in(body, v)
		if a.shown() && a.returned != "request" {
			want = a.in(want, v)
		}
	}
	delete(want, "schemas")
	path, _ := p.create(p.subject.typ, body)
	got := p.read(path)
	for _, key := range slices.Sorted(keysOf(want)) {
		p.has(got, want[key], key)
	}
	p.status(p.put(path, got.raw), 200, 204)
	again := p.read(path)
	for _, key := range slices.Sorted(keysOf(want)) {
		p.has(again, want[key], key)
	}
}
