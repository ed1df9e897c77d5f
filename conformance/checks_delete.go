package conformance

import (
	"fmt"
	"net/http"
	"slices"
)

const deleteText = "RFC 7644 §3.6"

func deleteChecks() []check {
	return all("user", []check{
		must("delete.status", deleteText, "DELETE answers 204", "Clients take the removal for failed and repeat it for ever.", func(p *probe) {
			path, _ := p.user()
			p.status(p.remove(path), 204)
		}),
		must("delete.gone", deleteText, "A deleted resource is 404", "Clients see somebody who has left.", func(p *probe) {
			path := p.deleted()
			p.status(p.get(path), 404)
		}),
		must("delete.again", deleteText, "A second DELETE is 404", "Clients cannot tell whether there was anything.", func(p *probe) { p.status(p.remove(p.deleted()), 404) }),
		must("delete.put", deleteText, "PUT to a deleted resource is 404", "Deleted people come back.", func(p *probe) { p.status(p.put(p.deleted(), p.userBody()), 404) }),
		must("delete.patch", deleteText, "PATCH of a deleted resource is 404", "Deleted people come back.", func(p *probe) {
			p.status(p.patch(p.deleted(), op("replace", "displayName", "X")), 404)
		}).with("patch"),
		must("delete.unknown", "RFC 7644 §3.12", "DELETE of an unknown id is 404", "Clients cannot tell whether there was anything.", func(p *probe) {
			p.status(p.remove(p.users().endpoint+"/"+p.unique()), 404)
		}),
		must("delete.not-listed", deleteText, "A deleted resource is in no list", "Clients see somebody who has left.", func(p *probe) {
			path, u := p.user()
			p.status(p.remove(path), 204)
			a := p.get(query(p.users().endpoint, "filter", `userName eq "`+text(get(u.obj, "userName"))+`"`))
			n := len(p.found(a))
			p.that(n == 0, "nobody", fmt.Sprintf("%d users", n))
		}).with("filter"),
		should("delete.name-free", deleteText, "The userName of a deleted user can be used again, with a new id", "Nobody can come back.", func(p *probe) {
			body := p.userBody()
			path, u := p.create(p.users(), body)
			p.status(p.remove(path), 204)
			a := p.post(p.users().endpoint, body)
			p.accepted(a)
			p.that(a.id() != u.id(), "a new id", "the id of the deleted user")
		}),
		must("delete.group", deleteText, "A group can be deleted; its members stay", "People vanish with a group.", func(p *probe) {
			userPath, u := p.user()
			path, _ := p.group(u.id())
			p.status(p.remove(path), 204)
			p.status(p.get(path), 404)
			p.read(userPath)
		}).with("group"),
		should("delete.member", "RFC 7643 §4.2", "A deleted user is a member of no group", "Groups hold people who have left.", func(p *probe) {
			userPath, u := p.user()
			path, _ := p.group(u.id())
			p.status(p.remove(userPath), 204)
			p.members(path)
		}).with("group Group.members"),
	})
}

// deleted is the path of a user that was there.
func (p *probe) deleted() string {
	path, _ := p.user()
	p.that(p.remove(path).code < 300, "status 204", "a refusal")
	return path
}

// members demands that a group has exactly these members.
func (p *probe) members(path string, want ...string) {
	if p.done {
		return
	}
	a := p.read(path)
	got := []string{}
	for _, e := range list(get(a.obj, "members")) {
		got = append(got, text(dig(e, "value")))
	}
	slices.Sort(got)
	p.that(slices.Equal(got, slices.Sorted(slices.Values(want))), fmt.Sprintf("%d members: %s", len(want), show(want)), show(got))
}

const etagText = "RFC 7644 §3.14"

func etagChecks() []check {
	return all("user etag", []check{
		should("etag.meta", etagText, "meta.version is there and the same as the ETag header", "A client that reads lists has no version to write by.", func(p *probe) {
			_, a := p.tagged()
			p.has(a, a.reply.Get("ETag"), "meta", "version")
		}),
		must("etag.moves", etagText, "The version changes with the resource", "A client overwrites what somebody else changed.", func(p *probe) {
			path, a := p.tagged()
			p.status(p.put(path, p.again(a, object{"displayName": "New"})), 200, 204)
			b := p.read(path)
			p.that(b.reply.Get("ETag") != a.reply.Get("ETag"), "another ETag", "the same")
		}).with("User.displayName"),
		must("etag.stays", etagText, "Reading does not change the version", "Nobody can write with If-Match.", func(p *probe) {
			path, a := p.tagged()
			p.that(p.read(path).reply.Get("ETag") == a.reply.Get("ETag"), "the same ETag", "another one")
		}),
		must("etag.not-modified", etagText, "GET with If-None-Match of the present version is 304", "Clients load again what they have.", func(p *probe) {
			path, a := p.tagged()
			b := p.get(path, header("If-None-Match", a.reply.Get("ETag")))
			p.status(b, 304)
			p.that(len(b.raw) == 0, "no body", "a body")
		}),
		must("etag.modified", etagText, "GET with If-None-Match of another version is 200", "Clients keep what is old.", func(p *probe) {
			path, _ := p.tagged()
			p.status(p.get(path, header("If-None-Match", `W/"scimhub-other"`)), 200)
		}),
		must("etag.match", etagText, "PUT with If-Match of the present version is carried out", "Nobody can write with If-Match.", func(p *probe) {
			path, a := p.tagged()
			p.status(p.put(path, p.again(a, nil), header("If-Match", a.reply.Get("ETag"))), 200, 204)
		}),
		must("etag.any", "RFC 9110 §13.1.1", "If-Match: * is met by any resource that is there", "Clients that ask for it cannot write.", func(p *probe) {
			path, a := p.tagged()
			p.status(p.put(path, p.again(a, nil), header("If-Match", "*")), 200, 204)
		}),
		must("etag.stale-put", etagText, "PUT with If-Match of an old version is 412 and changes nothing", "A client overwrites what somebody else changed.", func(p *probe) {
			path, a := p.tagged()
			p.status(p.put(path, p.again(a, object{"displayName": "Late"}), header("If-Match", `W/"scimhub-old"`)), 412)
			p.has(p.read(path), text(get(a.obj, "displayName")), "displayName")
		}),
		must("etag.stale-patch", etagText, "PATCH with If-Match of an old version is 412", "A client overwrites what somebody else changed.", func(p *probe) {
			path, _ := p.tagged()
			p.status(p.send(http.MethodPatch, path, patchBody(op("replace", "displayName", "Late")), header("If-Match", `W/"scimhub-old"`)), 412)
		}).with("patch"),
		must("etag.stale-delete", etagText, "DELETE with If-Match of an old version is 412", "A client removes what somebody else changed.", func(p *probe) {
			path, _ := p.tagged()
			p.status(p.remove(path, header("If-Match", `W/"scimhub-old"`)), 412)
			p.read(path)
		}),
		should("etag.list", "RFC 9110 §13.1.1", "If-Match may name several versions", "Clients that know several cannot write.", func(p *probe) {
			path, a := p.tagged()
			p.status(p.put(path, p.again(a, nil), header("If-Match", `W/"scimhub-old", `+a.reply.Get("ETag"))), 200, 204)
		}),
		should("etag.created", etagText, "POST answers with the ETag of the new resource", "Clients have to read before their first change.", func(p *probe) {
			path, u := p.user()
			a := p.read(path)
			p.that(u.reply.Get("ETag") == a.reply.Get("ETag"), "ETag "+a.reply.Get("ETag")+" on 201", show(u.reply.Get("ETag")))
		}),
	})
}

// tagged is a user that was read with its ETag.
func (p *probe) tagged() (string, *answer) {
	path, _ := p.user()
	a := p.read(path)
	p.that(a.reply.Get("ETag") != "", "an ETag header", "none")
	return path, a
}
