package conformance

import (
	"net/http"
	"net/url"
	"strings"
)

func createChecks() []check {
	return all("user", []check{
		must("create.user", "RFC 7644 §3.3", "POST /Users answers 201 and the user is there",
			"Nothing can be provisioned.", createUser),
		must("create.location", "RFC 7644 §3.3", "201 has a Location header, which leads to the resource",
			"Clients that follow it never find the user they made.", createLocation),
		must("create.location-meta", "RFC 7644 §3.3", "Location is the same as meta.location",
			"A client has two addresses for one resource.", createLocationMeta),
		should("create.body", "RFC 7644 §3.3", "201 carries the resource",
			"Okta and Entra need the id from the body: “Create new user returned empty user”.", createBody),
		must("create.stored", "RFC 7644 §3.3", "What was created is what is read",
			"The client writes the same again in every cycle.", createStored),
		must("create.own-id", "RFC 7643 §3.1", "The service issues the id, whatever the client sent",
			"A client can take over the id of somebody else.", createOwnID),
		must("create.read-only", "RFC 7644 §3.3", "readOnly attributes in the body are ignored",
			"Okta sends groups: [] with every user; a client that sent meta could forge it.", createReadOnly),
		must("create.conflict", "RFC 7644 §3.3", "A second user with the same userName is 409 uniqueness",
			"A request that is repeated after a time-out makes a second account.", createConflict),
		must("create.conflict-case", "RFC 7643 §4.1.1", "userName is unique without regard to case",
			"One person gets two accounts that differ in a capital letter.", createConflictCase),
		should("create.conflict-unicode", "RFC 7644 §5", "userName is unique over different ways to write the same characters",
			"Two accounts look the same to everybody.", createConflictUnicode),
		should("create.conflict-width", "RFC 7644 §5", "userName is unique over full-width and ordinary letters",
			"Two accounts look the same to everybody.", func(p *probe) {
				name := p.unique()
				p.user(object{"userName": name + "-ａlice"})
				p.status(p.post(p.users().endpoint, p.userBody(object{"userName": name + "-alice"})), 409)
			}),
		should("create.sharp-s", "RFC 7644 §5", "userNames with ß and with ss are different",
			"Two people with similar names cannot both have an account.", func(p *probe) {
				name := p.unique()
				p.user(object{"userName": name + "-strasse"})
				p.accepted(p.post(p.users().endpoint, p.userBody(object{"userName": name + "-straße"})))
			}),
		must("create.no-user-name", "RFC 7643 §4.1.1", "A user without userName is 400",
			"Accounts that nobody can use or find.", createNoName),
		must("create.empty-user-name", "RFC 7643 §4.1.1", "A user with an empty userName is 400",
			"Accounts that nobody can use or find.", createEmptyName),
		should("create.no-core-schema", "RFC 7643 §3", "A body whose schemas do not have that of the resource type is 400",
			"A group posted to /Users becomes a user.", createForeignSchemas).in("rfc interop"),
		must("create.nulls", "RFC 7643 §2.5", "null and [] mean no value, and are accepted",
			"Many clients send every attribute they know, empty or not.", createNulls),
		must("create.inactive", "RFC 7643 §4.1.1", "A user can be created inactive",
			"People who have not started yet have access.", createInactive).with("User.active"),
	})
}

func createDetailChecks() []check {
	return all("user", []check{
		should("create.times", "RFC 7643 §3.1", "meta.lastModified is meta.created until the first change",
			"Clients that poll take a new user for a changed one.", createTimes),
		must("create.two-primaries", "RFC 7643 §2.4", "Two primary e-mails are refused or become one",
			"Which address is the main one depends on who reads.", createTwoPrimaries).with("User.emails"),
		must("create.wrong-boolean", "RFC 7643 §2.3.2", "A text that is no boolean is refused as active",
			"In many languages every text is true: the account is active.", createWrong("active", "perhaps")).with("User.active"),
		must("create.wrong-string", "RFC 7643 §2.3.1", "An object is refused as displayName",
			"The directory holds what no client can read.", createWrong("displayName", object{"a": 1})).with("User.displayName"),
		must("create.wrong-list", "RFC 7643 §2.4", "A number is refused as emails",
			"The directory holds what no client can read.", createWrong("emails", 5)).with("User.emails"),
		must("create.external-id", "RFC 7643 §3.1", "externalId is kept as the client wrote it",
			"The client cannot match its own users.", createExternalID),
		must("create.same-external-id", "RFC 7643 §3.1", "externalId is not confused between a User and a Group",
			"A group cannot have the number that a user has in the client's system.", createSharedExternalID).with("group"),
		must("create.attributes", "RFC 7644 §3.9", "attributes works on POST",
			"A client that asked for the id alone gets a whole group.", createAttributes),
		must("create.enterprise", "RFC 7643 §4.3", "The enterprise extension is kept and announced in schemas",
			"Department, cost center and manager are lost.", createEnterprise).with("enterprise"),
		must("create.enterprise-case", "RFC 7644 §3.10", "The URN of an extension has no case",
			"The whole extension is lost without a word.", createEnterpriseCase).with("enterprise"),
		must("create.enterprise-empty", "RFC 7643 §3", "An extension in schemas without data is accepted",
			"Entra announces the enterprise extension with every user.", createEnterpriseEmpty).with("enterprise"),
		must("create.several-emails", "RFC 7643 §4.1.2", "A user can have several e-mails",
			"People lose all addresses but one, or are not created.", func(p *probe) {
				work, home := p.mails()
				path, _ := p.user(object{"emails": array{work, home}})
				p.has(p.read(path), array{work, home}, "emails")
			}).with("User.emails"),
		should("create.duplicate-values", "RFC 7643 §2.4", "The same e-mail sent twice is refused or kept once",
			"Clients that compare see a difference that is none.", createDuplicates).with("User.emails"),
		must("create.group", "RFC 7644 §3.3", "POST /Groups answers 201 and the group is there",
			"No group can be provisioned.", createGroup).with("group"),
		must("create.group-no-name", "RFC 7643 §4.2", "A group without displayName is 400",
			"Groups that nobody can recognise.", createGroupNoName).with("group"),
	})
}

func createUser(p *probe) {
	body := p.userBody()
	a := p.post(p.users().endpoint, body)
	if !a.success() {
		p.broken = "POST " + p.users().endpoint + " is answered with " + a.saw()
	}
	p.status(a, 201)
	at := p.at(p.users(), a)
	p.has(p.read(at), object{"userName": body["userName"]})
	p.userOK = !p.done
}

func createLocation(p *probe) {
	_, a := p.user()
	loc := a.reply.Get("Location")
	if !p.that(loc != "", "a Location header", "none") {
		return
	}
	u, err := url.Parse(loc)
	if !p.that(err == nil && u.IsAbs(), "an absolute URL in Location", loc) {
		return
	}
	want := p.users().endpoint + "/" + url.PathEscape(a.id())
	p.that(strings.HasSuffix(u.EscapedPath(), want), "a Location that ends in "+want, loc)
}

func createLocationMeta(p *probe) {
	_, a := p.user()
	loc, meta := a.reply.Get("Location"), text(dig(a.obj, "meta", "location"))
	if loc == "" || meta == "" {
		p.skip("there is no Location or no meta.location")
	}
	p.that(loc == meta, "Location "+meta, loc)
}

func createBody(p *probe) {
	body := p.userBody()
	a := p.post(p.users().endpoint, body)
	p.accepted(a)
	p.has(a, body["userName"], "userName")
	p.that(a.id() != "", "the id", "a body without id")
}

func createStored(p *probe) {
	body := p.userBody()
	path, _ := p.create(p.users(), body)
	p.has(p.read(path), merge(body, object{"schemas": nil}))
}

func createOwnID(p *probe) {
	id := p.unique()
	path, a := p.user(object{"id": id})
	p.that(a.id() != id, "an id of the service's own", "the id that the client sent")
	p.read(path)
}

func createReadOnly(p *probe) {
	path, _ := p.user(object{"groups": array{object{"value": p.unique()}},
		"meta": object{"resourceType": "Group", "created": "2001-01-01T00:00:00Z", "location": "https://example.com/x"}})
	a := p.read(path)
	p.lacks(a, "groups")
	p.that(text(dig(a.obj, "meta", "resourceType")) != "Group", "meta.resourceType of the service", "the one that the client sent")
	p.that(!strings.HasPrefix(text(dig(a.obj, "meta", "created")), "2001-"), "meta.created of the service", "the one that the client sent")
}

func createConflict(p *probe) {
	body := p.userBody()
	p.create(p.users(), body)
	p.kind(p.post(p.users().endpoint, body), http.StatusConflict, "uniqueness")
}

func createConflictCase(p *probe) {
	if d := p.defined(p.users(), "userName"); d != nil && d.caseExact {
		p.skip("the schema says that userName is case exact")
	}
	body := p.userBody()
	p.create(p.users(), body)
	p.status(p.post(p.users().endpoint, p.userBody(object{"userName": strings.ToUpper(text(body["userName"]))})), 409)
}

func createConflictUnicode(p *probe) {
	name := p.unique()
	p.user(object{"userName": name + "-jos\u00e9@example.com"})
	p.status(p.post(p.users().endpoint, p.userBody(object{"userName": name + "-jose\u0301@example.com"})), 409)
}

func createNoName(p *probe) {
	p.refused(p.post(p.users().endpoint, p.userBody(object{"userName": nil})), 400)
}

func createEmptyName(p *probe) {
	p.refused(p.post(p.users().endpoint, p.userBody(object{"userName": ""})), 400)
}

func createForeignSchemas(p *probe) {
	p.refused(p.post(p.users().endpoint, p.userBody(object{"schemas": array{"urn:example:" + p.unique()}})), 400)
}

func createNulls(p *probe) {
	body := encode(p.userBody(object{"nickName": "N"}))
	path, _ := p.create(p.users(), p.userBody())
	a := p.post(p.users().endpoint, strings.Replace(strings.Replace(string(body), `"nickName":"N"`,
		`"nickName":null,"phoneNumbers":[],"addresses":null`, 1), "\n", "", -1))
	p.accepted(a)
	if path != "" {
		p.lacks(a, "nickName")
		p.lacks(a, "phoneNumbers")
	}
}

func createInactive(p *probe) {
	path, _ := p.user(object{"active": false})
	p.has(p.read(path), false, "active")
}

func createTimes(p *probe) {
	path, _ := p.user()
	a := p.read(path)
	p.has(a, dig(a.obj, "meta", "created"), "meta", "lastModified")
}

func createTwoPrimaries(p *probe) {
	name := p.unique()
	a := p.post(p.users().endpoint, p.userBody(object{"emails": array{
		object{"value": name + "-1@example.com", "type": "work", "primary": true},
		object{"value": name + "-2@example.com", "type": "home", "primary": true}}}))
	if a.failed() {
		p.refused(a)
		return
	}
	if at := p.at(p.users(), a); !p.done {
		p.onePrimary(p.read(at))
	}
}

func (p *probe) onePrimary(a *answer) {
	n := 0
	for _, e := range list(get(a.obj, "emails")) {
		if dig(e, "primary") == true {
			n++
		}
	}
	p.that(n <= 1, "at most one primary e-mail", show(get(a.obj, "emails")))
}

func createWrong(attr string, v any) func(*probe) {
	return func(p *probe) { p.refused(p.post(p.users().endpoint, p.userBody(object{attr: v})), 400) }
}

func createExternalID(p *probe) {
	id := strings.ToUpper(p.unique()) + "-aB"
	path, _ := p.user(object{"externalId": id})
	p.has(p.read(path), id, "externalId")
}

func createSharedExternalID(p *probe) {
	id := p.unique()
	p.user(object{"externalId": id})
	p.create(p.groups(), merge(p.body(p.groups()), object{"externalId": id}))
}

func createAttributes(p *probe) {
	body := p.userBody()
	a := p.post(query(p.users().endpoint, "attributes", "userName"), body)
	p.accepted(a)
	p.has(a, body["userName"], "userName")
	p.that(a.id() != "", "the id, which is always returned", "no id")
	p.lacks(a, "emails")
	p.lacks(a, "displayName")
}

func (p *probe) enterpriseUser(part object) (string, *answer) {
	return p.user(object{"schemas": array{urnUser, urnEnterprise}, urnEnterprise: part})
}

func createEnterprise(p *probe) {
	path, _ := p.enterpriseUser(object{"department": "Checks", "employeeNumber": "701984"})
	a := p.read(path)
	p.has(a, object{"department": "Checks", "employeeNumber": "701984"}, urnEnterprise)
	p.that(a.is(urnEnterprise), urnEnterprise+" in schemas", show(get(a.obj, "schemas")))
}

func createEnterpriseCase(p *probe) {
	path, _ := p.user(object{"schemas": array{urnUser, urnEnterprise}, strings.ToLower(urnEnterprise): object{"department": "Checks"}})
	p.has(p.read(path), "Checks", urnEnterprise, "department")
}

func createEnterpriseEmpty(p *probe) {
	p.accepted(p.post(p.users().endpoint, p.userBody(object{"schemas": array{urnUser, urnEnterprise}})))
}

func createDuplicates(p *probe) {
	e := object{"value": p.userName(), "type": "work"}
	a := p.post(p.users().endpoint, p.userBody(object{"emails": array{e, e}}))
	if a.failed() {
		p.refused(a)
		return
	}
	n := len(list(get(a.obj, "emails")))
	p.that(n == 1, "one e-mail, or a refusal", show(get(a.obj, "emails")))
}

func createGroup(p *probe) {
	body := p.body(p.groups())
	a := p.post(p.groups().endpoint, body)
	p.status(a, 201)
	p.has(p.read(p.at(p.groups(), a)), body["displayName"], "displayName")
}

func createGroupNoName(p *probe) {
	p.refused(p.post(p.groups().endpoint, merge(p.body(p.groups()), object{"displayName": nil, "externalId": p.unique()})), 400)
}
