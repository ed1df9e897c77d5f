package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const sortText = "RFC 7644 §3.4.2.3"

// ordered is a check that the company comes in an order.
func ordered(letters string, params ...string) func(*probe) {
	return func(p *probe) {
		c := p.three()
		a := p.get(query(p.users().endpoint, append([]string{"filter", c.narrow}, params...)...))
		p.inOrder(a, c, letters)
	}
}

func (p *probe) inOrder(a *answer, c *company, letters string) {
	got := p.found(a)
	if p.done {
		return
	}
	var order strings.Builder
	for _, id := range got {
		if i := slices.Index(c.ids, id); i >= 0 {
			order.WriteByte("ABC"[i])
		}
	}
	p.that(order.String() == letters, "the prepared users in the order "+letters, order.String())
}

func sortChecks() []check {
	why := "Lists are shown, and pages cut, in the wrong order."
	return all("user sort filter", []check{
		must("sort.ascending", sortText, "sortOrder=ascending", why, ordered("ABC", "sortBy", "userName", "sortOrder", "ascending")),
		must("sort.descending", sortText, "sortOrder=descending", why, ordered("CBA", "sortBy", "userName", "sortOrder", "descending")),
		must("sort.default", sortText, "Without sortOrder the order is ascending", why, ordered("ABC", "sortBy", "userName")),
		must("sort.sub-attribute", sortText, "sortBy can name a sub-attribute", why, ordered("CBA", "sortBy", "name.familyName")).with("User.name"),
		must("sort.case", sortText, "Texts that are not case exact are sorted without regard to case", why, ordered("ABC", "sortBy", "nickName")).with("User.nickName"),
		must("sort.missing-last", sortText, "Who has no value comes last in ascending order", why, ordered("ABC", "sortBy", "nickName", "sortOrder", "ascending")).with("User.nickName"),
		must("sort.missing-first", sortText, "Who has no value comes first in descending order", why, ordered("CBA", "sortBy", "nickName", "sortOrder", "descending")).with("User.nickName"),
		must("sort.multi-valued", sortText, "Multi-valued attributes are sorted by their primary or first value", why, ordered("CBA", "sortBy", "emails.value", "sortOrder", "descending")).with("User.emails"),
		must("sort.name-case", "RFC 7643 §2.1", "Names in sortBy have no case", why, ordered("CBA", "sortBy", "USERNAME", "sortOrder", "descending")),
		must("sort.extension", "RFC 7644 §3.10", "sortBy can name an attribute of an extension", why, ordered("CBA", "sortBy", urnEnterprise+":department", "sortOrder", "descending")).with("enterprise"),
		must("sort.pages", sortText, "The order holds over pages", "People are lost or repeated between pages.", sortPages),
		should("sort.unknown", "RFC 7644 §3.12", "sortBy an unknown attribute is 400", "A typing error gives another order without a word.", func(p *probe) {
			p.status(p.get(query(p.users().endpoint, "sortBy", "scimhubUnknown", "count", "1")), 400)
		}),
	})
}

func sortPages(p *probe) {
	c := p.three()
	var got []string
	for start := 1; start <= 3 && !p.done; start++ {
		got = append(got, p.found(p.get(query(p.users().endpoint, "filter", c.narrow, "sortBy", "userName",
			"sortOrder", "descending", "startIndex", strconv.Itoa(start), "count", "1")))...)
	}
	want := slices.Clone(c.ids)
	slices.Reverse(want)
	p.that(slices.Equal(got, want), "pages with C, B, A", fmt.Sprintf("%d users in another order", len(got)))
}

const cursorText = "RFC 9865 §2"

func cursorChecks() []check {
	return append(all("user cursor filter", []check{
		must("cursor.walk", cursorText, "Following nextCursor gives everybody once", "An import loses people, who then lose their access.", cursorWalk),
		must("cursor.bare", cursorText, "The bare parameter cursor, without =, begins", "The RFC's own example writes it so.", cursorBegins("cursor")),
		must("cursor.empty", cursorText, "An empty cursor begins", "Clients cannot begin.", cursorBegins("cursor=")),
		must("cursor.alphabet", cursorText, "A cursor consists of unreserved characters", "Clients that do not escape it send another one.", cursorAlphabet),
		must("cursor.last", cursorText, "The last page has no nextCursor", "Clients go on for ever, or read an empty page.", cursorLast),
		must("cursor.no-previous", cursorText, "The first page has no previousCursor", "Clients go back from the beginning.", func(p *probe) {
			a := p.cursorPage("", "1")
			p.lacks(a, "previousCursor")
		}),
		must("cursor.invalid", "RFC 9865 §2.1", "A made-up cursor is 400 invalidCursor", "Clients do not know that they have to begin again.", func(p *probe) {
			p.kind(p.get(query(p.users().endpoint, "cursor", p.unique(), "count", "1")), 400, "invalidCursor")
		}),
		must("cursor.forged", "RFC 9865 §5.2", "A cursor with one character changed is 400 invalidCursor", "What a cursor holds can be forged.", cursorForged),
		should("cursor.other-filter", "RFC 9865 §2", "A cursor of another filter is 400 invalidCursor", "The client gets pages of two different lists as one.", cursorOtherFilter),
		should("cursor.other-count", "RFC 9865 §2.1", "A cursor with another count is 400 invalidCount, or is followed", "Pages overlap.", cursorOtherCount),
		must("cursor.count-zero", "RFC 9865 §2", "count=0 gives no resource", "A question for a number loads the directory.", func(p *probe) {
			n := len(p.found(p.cursorPage("", "0")))
			p.that(n == 0, "no resource", strconv.Itoa(n))
		}),
		must("cursor.search", "RFC 9865 §3", "cursor works in the body of a search", "Clients that keep filters out of URLs cannot page.", cursorSearch),
		must("cursor.stable", "RFC 9865 §1", "A user made between two pages moves nobody", "People are lost or repeated when somebody else writes.", cursorStable),
		must("cursor.sorted", "RFC 9865 §2.2", "The order holds over pages", "People come in the wrong order.", cursorSorted).with("sort"),
		must("cursor.advertised", "RFC 9865 §4", "pagination in ServiceProviderConfig has cursor and index", "Clients cannot choose.", cursorAdvertised),
	}),
		may("cursor.not-offered", "RFC 7644 §3.4.2", "Where cursors are not advertised the parameter does no harm",
			"Clients that try cannot read the list at all.", cursorNotOffered).with("user"))
}

// cursorPage is a page of the company.
func (p *probe) cursorPage(cursor, count string, more ...string) *answer {
	c := p.three()
	if p.done {
		return &answer{}
	}
	params := append([]string{"filter", c.narrow, "count", count, "cursor", cursor}, more...)
	return p.get(query(p.users().endpoint, params...))
}

// walk follows cursors to the end.
func (p *probe) walk(next func(cursor string) *answer) []string {
	var got []string
	cursor := ""
	for range 10 {
		a := next(cursor)
		got = append(got, p.found(a)...)
		cursor = text(get(a.obj, "nextCursor"))
		if cursor == "" || p.done {
			return got
		}
	}
	p.fail("an end after 3 pages of one user", "10 pages")
	return got
}

func (p *probe) everybodyOnce(got []string) {
	c := p.three()
	slices.Sort(got)
	p.that(slices.Equal(got, slices.Sorted(slices.Values(c.ids))), "the 3 prepared users, each once", fmt.Sprintf("%d, %d of them different", len(got), len(slices.Compact(slices.Clone(got)))))
}

func cursorWalk(p *probe) {
	p.everybodyOnce(p.walk(func(cur string) *answer { return p.cursorPage(cur, "1") }))
}

func cursorBegins(param string) func(*probe) {
	return func(p *probe) {
		c := p.three()
		a := p.get(query(p.users().endpoint, "filter", c.narrow, "count", "2") + "&" + param)
		n := len(p.found(a))
		p.that(n == 2 && text(get(a.obj, "nextCursor")) != "", "two users and nextCursor", fmt.Sprintf("%d users, nextCursor %s", n, show(get(a.obj, "nextCursor"))))
	}
}

func (p *probe) firstCursor() string {
	a := p.cursorPage("", "1")
	p.found(a)
	cur := text(get(a.obj, "nextCursor"))
	p.that(cur != "", "nextCursor on a page that is not the last", show(get(a.obj, "nextCursor")))
	return cur
}

func cursorAlphabet(p *probe) {
	const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	cur := p.firstCursor()
	p.that(strings.Trim(cur, unreserved) == "", "only letters, digits, - . _ ~", cur)
}

func cursorLast(p *probe) {
	a := p.cursorPage("", "3")
	n := len(p.found(a))
	p.that(n == 3 && get(a.obj, "nextCursor") == nil, "all 3 users and no nextCursor", fmt.Sprintf("%d users, nextCursor %s", n, show(get(a.obj, "nextCursor"))))
}

func cursorForged(p *probe) {
	cur := []byte(p.firstCursor())
	if p.done {
		return
	}
	i := len(cur) / 2
	if cur[i] == 'A' {
		cur[i] = 'B'
	} else {
		cur[i] = 'A'
	}
	p.kind(p.cursorPage(string(cur), "1"), 400, "invalidCursor")
}

func cursorOtherFilter(p *probe) {
	cur := p.firstCursor()
	p.kind(p.get(query(p.users().endpoint, "filter", `userName eq "nobody"`, "count", "1", "cursor", cur)), 400, "invalidCursor")
}

func cursorOtherCount(p *probe) {
	a := p.cursorPage(p.firstCursor(), "2")
	if a.failed() {
		p.kind(a, 400, "invalidCount", "invalidCursor")
		return
	}
	p.found(a)
}

func cursorSearch(p *probe) {
	c := p.three()
	p.everybodyOnce(p.walk(func(cur string) *answer {
		return p.post(p.users().endpoint+"/.search", object{"schemas": array{urnSearch}, "filter": c.narrow, "count": 2, "cursor": cur})
	}))
}

func cursorStable(p *probe) {
	c, pages := p.people(), 0
	got := p.walk(func(cur string) *answer {
		if pages++; pages == 2 {
			p.user(object{"title": c.mark})
		}
		return p.cursorPage(cur, "1")
	})
	for _, id := range c.ids {
		n := 0
		for _, g := range got {
			if g == id {
				n++
			}
		}
		p.that(n == 1, "each of the 3 prepared users once", fmt.Sprintf("one of them %d times", n))
	}
}

func cursorSorted(p *probe) {
	c := p.people()
	got := p.walk(func(cur string) *answer {
		return p.cursorPage(cur, "1", "sortBy", "userName", "sortOrder", "descending")
	})
	want := slices.Clone(c.ids)
	slices.Reverse(want)
	p.that(slices.Equal(got, want), "C, B, A", fmt.Sprintf("%d users in another order", len(got)))
}

func cursorAdvertised(p *probe) {
	a := p.spcObject()
	_, ok := dig(a.obj, "pagination", "index").(bool)
	p.that(ok, "pagination.index as a boolean", show(get(a.obj, "pagination")))
	if v := dig(a.obj, "pagination", "defaultPaginationMethod"); v != nil {
		p.that(v == "cursor" || v == "index", "defaultPaginationMethod cursor or index", show(v))
	}
}

func cursorNotOffered(p *probe) {
	if p.features["cursor"] {
		p.skip("cursors are advertised")
	}
	a := p.get(query(p.users().endpoint, "count", "1", "cursor", ""))
	p.that(a.err == nil && (a.code == 200 || a.code == 400 || a.code == 501), "status 200, or a clear refusal", a.saw())
}
