package conformance

import (
	"fmt"
	"strings"
)

// company is a few users with known differences, for the checks that only look. It
// is made when the first of them needs it and kept until the end of the run. All
// have the same title, by which they are told from everybody else; the order of
// their user names is A, B, C.
//
//	    active  nickName  givenName      work e-mail  home e-mail  department
//	A   yes     Apple     Ann            …-a@         …-ah@        Dept-A
//	B   no      banana    bob            …-b@         –            dept-b
//	C   yes     –         Cé "q" \ x     …-ch@ (home) …-c@ (work)  –
type company struct {
	mark    string
	ids     []string
	names   []string // userName
	ext     []string // externalId
	created string   // meta.created of A
	narrow  string   // a filter that finds the three alone; empty if the service has none
	single  bool     // users can have one e-mail only: there are no home addresses
	why     string   // it could not be made
}

// people returns the company; what is missing of it is a reason to skip.
func (p *probe) people() *company {
	if p.crew == nil {
		p.crew = p.hire()
	}
	if p.crew.why != "" {
		p.skip("the users that it looks for could not be made: %s", p.crew.why)
	}
	return p.crew
}

func (p *probe) hire() *company {
	c := &company{mark: p.unique()}
	t := p.users()
	for i, letter := range []string{"a", "b", "c"} {
		name, ext := p.suffixed(c.mark+"-"+letter), c.mark+"-Ext-"+strings.ToUpper(letter)
		body := p.fitting(p.userBody(c.person(i, letter), object{"userName": name, "externalId": ext}))
		a := p.post(t.endpoint, body)
		if a.code == 400 && len(list(body["emails"])) > 1 {
			c.single = true
			body["emails"] = list(body["emails"])[:1]
			a = p.post(t.endpoint, body)
		}
		if !a.success() || a.id() == "" {
			c.why = "POST " + t.endpoint + " is answered with " + a.saw()
			return c
		}
		if i == 0 {
			c.created = text(dig(p.read(t.endpoint+"/"+a.id()).obj, "meta", "created"))
		}
		p.made[len(p.made)-1].keep = true
		c.ids, c.names, c.ext = append(c.ids, a.id()), append(c.names, name), append(c.ext, ext)
	}
	p.recognise(c)
	return c
}

// recognise looks for a filter that the service accepts and that should find the
// three alone. Whether it does is for the checks to see.
func (p *probe) recognise(c *company) {
	for _, f := range []string{fmt.Sprintf("title eq %q", c.mark), fmt.Sprintf("userName sw %q", c.mark)} {
		a := p.get(query(p.users().endpoint, "filter", f))
		if a.success() {
			c.narrow = f
			return
		}
	}
}

// three returns the company for checks that need to list it alone.
func (p *probe) three() *company {
	c := p.people()
	if c.narrow == "" {
		p.skip("no filter finds the prepared users alone: neither title eq nor userName sw is accepted")
	}
	return c
}

// suffixed is a user name made of a name.
func (s *suite) suffixed(name string) string {
	if s.short {
		return name
	}
	return mail(name)
}

// homes skips a check that needs somebody with two e-mails.
func (p *probe) homes() *company {
	c := p.people()
	if c.single {
		p.skip("users cannot have two e-mails")
	}
	return c
}

func (c *company) person(i int, letter string) object {
	address := func(suffix, kind string, primary bool) object {
		o := object{"value": c.mark + "-" + letter + suffix + "@example.com", "type": kind}
		if primary {
			o["primary"] = true
		}
		return o
	}
	out := []object{
		{"active": true, "nickName": "Apple", "name": object{"givenName": "Ann", "familyName": "Zed"},
			"emails": array{address("", "work", true), address("h", "home", false)}, urnEnterprise: object{"department": c.mark + "-Dept-A"}},
		{"active": false, "nickName": "banana", "name": object{"givenName": "bob", "familyName": "Yak"},
			"emails": array{address("", "work", true)}, urnEnterprise: object{"department": c.mark + "-dept-b"}},
		{"active": true, "name": object{"givenName": `Cé "q" \ x`, "familyName": "Xi"},
			"emails": array{address("", "work", true), address("h", "home", false)}},
	}[i]
	out["title"] = c.mark
	return out
}

// fitting leaves out what the schema does not have, and announces extensions.
func (p *probe) fitting(body object) object {
	out := object{}
	for k, v := range body {
		switch {
		case k == urnEnterprise:
			if p.lacksFeature("enterprise") == "" {
				out[k] = v
				out["schemas"] = append(append(array{}, list(body["schemas"])...), urnEnterprise)
			}
		case k == "schemas":
			if out[k] == nil {
				out[k] = v
			}
		case k == "externalId" || p.lacksAttribute("User."+k) == "" || strings.HasPrefix(k, "urn:"):
			out[k] = v
		}
	}
	return out
}

// mine narrows a filter to the company.
func (c *company) mine(filter string) string {
	return fmt.Sprintf("%s and (%s)", c.narrow, filter)
}

// pick are the ids of some of them, by letter.
func (c *company) pick(letters string) []string {
	var out []string
	for i, id := range c.ids {
		if strings.ContainsRune(letters, rune('A'+i)) {
			out = append(out, id)
		}
	}
	return out
}

// finds demands that a filter finds these of the company and no other of them.
func (p *probe) finds(filter, letters string) {
	c := p.people()
	p.exactly(p.get(query(p.users().endpoint, "filter", filter)), c.ids, c.pick(letters))
}
