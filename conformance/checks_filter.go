package conformance

import (
	"fmt"
	"strings"
	"time"
)

// filtered is a check that a filter finds some of the company; see company.fill.
func filtered(filter, letters string) func(*probe) {
	return func(p *probe) {
		if strings.Contains(filter, "%n") {
			p.three()
		}
		p.finds(p.people().fill(filter), letters)
	}
}

// fill puts the mark for %s, the user names for %a, %b and %c, and for %n the filter
// that finds the three alone.
func (c *company) fill(filter string) string {
	pairs := []string{"%s", c.mark, "%n", c.narrow}
	for i, name := range c.names {
		pairs = append(pairs, "%"+string(rune('a'+i)), name)
	}
	return strings.NewReplacer(pairs...).Replace(filter)
}

// addressed is the same for filters that need somebody with two e-mails.
func addressed(filter, letters string) func(*probe) {
	return func(p *probe) {
		p.homes()
		filtered(filter, letters)(p)
	}
}

// marked is the same, narrowed to the company.
func marked(filter, letters string) func(*probe) {
	return func(p *probe) {
		c := p.three()
		p.finds(c.mine(c.fill(filter)), letters)
	}
}

const filterText = "RFC 7644 §3.4.2.2"

func filterChecks() []check {
	return all("user filter", []check{
		must("filter.eq", filterText, "userName eq finds exactly that user",
			"Every client matches by it before it creates.", filtered(`userName eq "%a"`, "A")),
		must("filter.case-insensitive", filterText, "userName eq pays no regard to case",
			"Okta's test asks in capitals; without a match the user is made twice.", func(p *probe) {
				p.finds(`userName eq "`+strings.ToUpper(p.people().names[0])+`"`, "A")
			}),
		must("filter.case-insensitive-text", filterText, "Texts that are not case exact are compared without regard to case",
			"Searches find nobody.", marked(`nickName eq "APPLE" or nickName sw "BAN"`, "AB")).with("User.nickName"),
		must("filter.name-case", "RFC 7643 §2.1", "Attribute names in filters have no case",
			"The filter finds nobody, and everybody is made twice.", filtered(`USERNAME eq "%a"`, "A")),
		must("filter.operator-case", filterText, "Operators have no case",
			"Keycloak writes EQ.", filtered(`userName EQ "%a"`, "A")),
		must("filter.id", "RFC 7643 §3.1", "id eq works",
			"Entra looks users up by id.", func(p *probe) {
				if c := p.people(); !p.done {
					p.finds(`id eq "`+c.ids[1]+`"`, "B")
				}
			}),
		must("filter.external-id", "RFC 7643 §3.1", "externalId eq works",
			"Entra and many HR systems match by it.", filtered(`externalId eq "%s-Ext-B"`, "B")),
		must("filter.external-id-case", "RFC 7643 §3.1", "externalId is case exact",
			"Two people whose numbers differ in case become one.", filtered(`externalId eq "%s-EXT-b"`, "")),
		must("filter.ne", filterText, "ne", "Clients select who to leave out.", marked(`nickName ne "Apple" and nickName pr`, "B")).with("User.nickName"),
		must("filter.co", filterText, "co", "Searches by a part of a name find nobody.", marked(`nickName co "ppl"`, "A")).with("User.nickName"),
		must("filter.sw", filterText, "sw", "Searches by the beginning of a name find nobody.", marked(`nickName sw "ban"`, "B")).with("User.nickName"),
		must("filter.ew", filterText, "ew", "Searches by the end of a name find nobody.", marked(`nickName ew "ana"`, "B")).with("User.nickName"),
		must("filter.pr", filterText, "pr finds those with a value", "Clients look for those who lack something.", marked(`nickName pr`, "AB")).with("User.nickName"),
		must("filter.gt", filterText, "gt compares texts", "Clients that read in ranges lose people.", marked(`userName gt "%b"`, "C")),
		must("filter.ge", filterText, "ge compares texts", "Clients that read in ranges lose people.", marked(`userName ge "%b"`, "BC")),
		must("filter.lt", filterText, "lt compares texts", "Clients that read in ranges lose people.", marked(`userName lt "%b"`, "A")),
		must("filter.le", filterText, "le compares texts", "Clients that read in ranges lose people.", marked(`userName le "%b"`, "AB")),
		must("filter.and", filterText, "and", "Entra narrows by a second condition.", filtered(`userName eq "%b" and externalId eq "%s-Ext-B"`, "B")),
		must("filter.or", filterText, "or", "Clients look several people up at once.", filtered(`userName eq "%a" or userName eq "%c"`, "AC")),
		must("filter.not", filterText, "not ( … )", "Clients select who to leave out.", marked(`not (userName eq "%a")`, "BC")),
		must("filter.not-scope", filterText, "not covers its parentheses only", "Too many or too few are found.", filtered(`not (userName eq "%a") and %n`, "BC")),
		must("filter.precedence", filterText, "and binds tighter than or", "Too many or too few are found.",
			filtered(`userName eq "%a" or userName eq "%b" and externalId eq "nobody"`, "A")),
		must("filter.grouping", filterText, "Parentheses are followed", "Too many or too few are found.",
			filtered(`(userName eq "%a" or userName eq "%b") and externalId eq "nobody"`, "")),
		must("filter.boolean", filterText, "Booleans can be compared", "Clients that look for active users get all or none.", marked(`active eq false`, "B")).with("User.active"),
	})
}

func filterDetailChecks() []check {
	return all("user filter", []check{
		must("filter.sub-attribute", filterText, "Sub-attributes can be compared", "Searches by name find nobody.", marked(`name.givenName eq "bob"`, "B")).with("User.name"),
		must("filter.multi-valued", filterText, "Any value of a multi-valued attribute matches", "Searches by e-mail find nobody.", addressed(`emails.value eq "%s-ah@example.com"`, "A")).with("User.emails"),
		must("filter.value-path", filterText, "emails[type eq \"work\"] works", "Clients that look for the work address find nobody.", addressed(`%n and emails[type eq "home"]`, "AC")).with("User.emails"),
		must("filter.value-path-and", filterText, "Two conditions in brackets can be met by one element", "Clients match by the work address.",
			filtered(`emails[type eq "work" and value eq "%s-a@example.com"]`, "A")).with("User.emails"),
		must("filter.same-element", filterText, "Two conditions in brackets must be met by the same element", "A person is found by somebody else's kind of address.",
			addressed(`emails[type eq "work" and value eq "%s-ah@example.com"]`, "")).with("User.emails"),
		should("filter.bare-complex", "RFC 7644 §3.4.2.2 figure 2", "A multi-valued attribute without sub-attribute means its value",
			"The RFC's own example asks so; some servers crash on it.", addressed(`emails co "%s-ah@"`, "A")).with("User.emails").notIn("interop"),
		must("filter.urn", "RFC 7644 §3.10", "Attributes can be fully qualified", "Entra writes the URN before the name.", filtered(urnUser+`:userName eq "%a"`, "A")),
		must("filter.urn-case", "RFC 7644 §3.10", "The URN has no case", "URNs are typed by administrators.", filtered(strings.ToUpper(urnUser)+`:userName eq "%a"`, "A")),
		must("filter.extension", "RFC 7644 §3.10", "Attributes of extensions can be compared", "Searches by department find nobody.", filtered(urnEnterprise+`:department eq "%s-Dept-A"`, "A")).with("enterprise"),
		must("filter.mixed", filterText, "Core and extension attributes can be in one filter", "Searches by two conditions fail.",
			filtered(urnEnterprise+`:department pr and %n`, "AB")).with("enterprise"),
		must("filter.schemas", filterText, "schemas eq finds resources with an extension", "Clients cannot tell who has the extension.", marked(`schemas eq "`+urnEnterprise+`"`, "AB")).with("enterprise"),
		must("filter.last-modified", "RFC 7643 §3.1", "meta.lastModified gt works", "Clients that poll for changes see none.", marked(`meta.lastModified gt "2001-01-01T00:00:00Z"`, "ABC")),
		must("filter.future", "RFC 7643 §3.1", "meta.lastModified gt finds nobody in the future", "Clients that poll for changes see everybody.", marked(`meta.lastModified gt "2199-01-01T00:00:00Z"`, "")),
		must("filter.time-zone", filterText, "Times are compared as moments, not as texts", "Clients in another time zone lose changes.", filterZone),
		should("filter.null", "RFC 7643 §2.5", "eq null finds those without a value", "Clients cannot look for those who lack something.", marked(`nickName eq null`, "C")).with("User.nickName"),
		should("filter.resource-type", "RFC 7643 §3.1", "meta.resourceType eq works", "Clients that ask over all types cannot narrow.", marked(`meta.resourceType eq "User"`, "ABC")),
		must("filter.escape", filterText, "Texts in filters are JSON strings: \\\" and \\\\", "People with quotes in their name cannot be found.", marked(`name.givenName eq "Cé \"q\" \\ x"`, "C")).with("User.name"),
		must("filter.unicode-escape", filterText, "Texts in filters are JSON strings: \\u00e9", "Clients that escape cannot find people beyond ASCII.", marked(`name.givenName sw "C\u00e9"`, "C")).with("User.name"),
		must("filter.plus", "RFC 3986 §2.4", "%2B in a filter is a plus sign", "People with a plus in their address cannot be found.", filterPlus),
		should("filter.form-space", "RFC 7644 §3.4.2", "A plus sign in the query is a space",
			"Entra and OneLogin encode spaces so.", filterFormSpace),
		must("filter.empty-text", filterText, "pr is false for an empty text", "Clients that look for those who lack something miss them.", filterEmptyText),
		should("filter.password", "RFC 7643 §4.1.1", "password cannot be searched for",
			"Anybody who may search can guess passwords.", filterPassword).with("User.password"),
		must("filter.group-name", filterText, "displayName eq finds a group", "Okta and Entra link groups by it.", filterGroupName).with("group"),
		must("filter.group-member", filterText, "members.value eq finds the groups of a user", "Entra asks whether somebody is a member.", filterMember(`members.value eq "%s"`)).with("group Group.members"),
		must("filter.group-member-path", filterText, "members[value eq …] finds the groups of a user", "Entra asks whether somebody is a member.", filterMember(`members[value eq "%s"]`)).with("group Group.members"),
	})
}

func filterRefusalChecks() []check {
	refused := func(filter string) func(*probe) {
		return func(p *probe) {
			p.kind(p.get(query(p.users().endpoint, "filter", filter, "count", "1")), 400, "invalidFilter")
		}
	}
	why := "The filter is ignored and everybody is returned: the client acts on the wrong people."
	return all("user filter", []check{
		must("filter.unknown-operator", filterText, "An unknown operator is 400 invalidFilter", why, refused(`userName regex "x"`)),
		must("filter.incomplete", filterText, "A filter without value is 400 invalidFilter", why, refused(`userName eq`)),
		must("filter.unbalanced", filterText, "An open parenthesis is 400 invalidFilter", why, refused(`(userName eq "x"`)),
		must("filter.trailing", filterText, "Something behind a filter is 400 invalidFilter", why, refused(`userName eq "x" or`)),
		must("filter.boolean-order", filterText, "gt on a boolean is 400 invalidFilter", why, refused(`active gt true`)).with("User.active"),
		must("filter.binary-order", filterText, "lt on a binary value is 400 invalidFilter", why, refused(`x509Certificates.value lt "A"`)).with("User.x509Certificates"),
		should("filter.unknown-attribute", "RFC 7644 §3.4.2.1", "An attribute that no schema defines is 400 invalidFilter",
			"A typing error finds nobody, and everybody is made again.", refused(`scimhubUnknown eq "x"`)).notIn("interop"),
		should("filter.unknown-sub", "RFC 7644 §3.4.2.1", "A sub-attribute that no schema defines is 400 invalidFilter",
			"A typing error finds nobody, and everybody is made again.", refused(`name.scimhubUnknown eq "x"`)).with("User.name"),
		should("filter.unknown-in-path", "RFC 7644 §3.4.2.1", "An unknown attribute before brackets is 400 invalidFilter",
			"A typing error finds nobody, and everybody is made again.", refused(`scimhubUnknown[type eq "x"]`)),
	})
}

func filterZone(p *probe) {
	c := p.three()
	t, err := time.Parse(time.RFC3339, c.created)
	if err != nil && !p.done {
		p.skip("meta.created is no dateTime")
	}
	later := t.Add(time.Hour).In(time.FixedZone("", -10*3600)).Format(time.RFC3339)
	earlier := t.Add(-time.Hour).In(time.FixedZone("", 10*3600)).Format(time.RFC3339)
	p.finds(c.mine(fmt.Sprintf(`meta.created lt %q and meta.created gt %q`, later, earlier)), "ABC")
}

func filterPlus(p *probe) {
	name := p.unique() + "+tag@example.com"
	_, a := p.user(object{"userName": name})
	p.exactly(p.get(query(p.users().endpoint, "filter", `userName eq "`+name+`"`)), []string{a.id()}, []string{a.id()})
}

func filterFormSpace(p *probe) {
	c := p.people()
	if p.done {
		return
	}
	p.exactly(p.get(p.users().endpoint+"?filter=userName+eq+%22"+strings.ReplaceAll(c.names[0], "@", "%40")+"%22"), c.ids, c.pick("A"))
}

func filterEmptyText(p *probe) {
	_, a := p.user(object{"displayName": ""})
	f := `userName eq "` + text(get(a.obj, "userName")) + `" and displayName pr`
	p.exactly(p.get(query(p.users().endpoint, "filter", f)), []string{a.id()}, nil)
}

func filterPassword(p *probe) {
	secret := "Conf0rm!ty-" + p.unique()
	_, u := p.user(object{"password": secret})
	a := p.get(query(p.users().endpoint, "filter", `password eq "`+secret+`"`))
	if a.failed() {
		p.refused(a)
		return
	}
	p.exactly(a, []string{u.id()}, nil)
}

func filterGroupName(p *probe) {
	_, g := p.group()
	p.exactly(p.get(query(p.groups().endpoint, "filter", `displayName eq "`+text(get(g.obj, "displayName"))+`"`)), []string{g.id()}, []string{g.id()})
}

func filterMember(filter string) func(*probe) {
	return func(p *probe) {
		_, u := p.user()
		_, g := p.group(u.id())
		_, other := p.group()
		p.exactly(p.get(query(p.groups().endpoint, "filter", fmt.Sprintf(filter, u.id()))), []string{g.id(), other.id()}, []string{g.id()})
	}
}
