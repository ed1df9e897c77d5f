package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// itemsShown is how many items stand on one page: no more than are kept at once.
const itemsShown = 25

// reviewView is the page of a review: what is to be decided, or was.
type reviewView struct {
	reviewLine
	Groups   []itemGroup
	Shown    int
	Next     string // cursor
	Later    bool   // this is not the first page
	Filter   itemFilter
	Narrow   bool // a filter is set
	Every    bool // may see items that do not wait for them
	Read     bool // may see the report
	Operate  bool // may close it
	Bulk     bool // there is something to decide on this page
	Last     *itemCard
	Override bool // decides in the place of whoever is asked
	Choices  []stateChoice
}

// itemFilter is which items are shown.
type itemFilter struct {
	Mine                                   bool
	State, Person, Role, Risk, Recommend   string
	By                                     string // person or role: what the items stand together by
	StateWords, MineAddress, OpenedAddress string
}

// stateChoice is a state that items can be chosen by.
type stateChoice struct{ State, Text string }

// itemGroup are items of a page that belong together.
type itemGroup struct {
	Title, Link, Only string // Only: the address of all of them
	Items             []itemCard
}

// itemCard is one item, and what can be done about it.
type itemCard struct {
	admin.ReviewItemView
	By      string // as in itemFilter
	Title   string // what it is, or whose
	What    string
	Is      string // state in words
	Peers   string // empty: nobody to compare with
	Trail   []itemStep
	Alone   bool      // is decided by itself, not with others
	Reason  bool      // keeping it needs a reason
	Ends    bool      // may be given an end
	Change  bool      // a decision may be changed
	Then    string    // the item behind it on the page
	Back    string    // address of the page
	Fault   string    // why a decision about it was refused just now; empty: none was
	Before  *itemCard // what was decided just before, where this is the next
	Here    string    // address of its own page
	Peruse  bool      // links to people may be followed
	Percent int
}

// itemStep is one thing that happened to an item.
type itemStep struct {
	At   any
	Text string
	Bad  bool
}

func reviewPath(id string) string { return "/reviews/" + url.PathEscape(id) }

func showReview(v *Visit) (any, error) {
	var r admin.ReviewView
	if err := v.Get(&r, "/reviews/%s", v.Var("review")); err != nil {
		return nil, err
	}
	out := reviewView{reviewLine: lineOfReview(r), Every: v.Caller.May("read") == nil, Operate: v.Caller.May("operate") == nil, Later: v.Query("cursor") != ""}
	out.Read = out.Every
	out.Override = v.Caller.Role == admin.RoleAdmin && v.Caller.Person == ""
	out.Filter = filterOf(v, out)
	f := out.Filter
	out.Narrow = f.Person+f.Role+f.Risk+f.Recommend != ""
	for _, s := range []model.ItemState{model.ItemPending, model.ItemDecided, model.ItemKept, model.ItemEnding, model.ItemRevoking, model.ItemEvaluated, model.ItemRevoked, model.ItemGone, model.ItemUndecided} {
		out.Choices = append(out.Choices, stateChoice{string(s), itemWords(s)})
	}
	mine := ""
	if f.Mine {
		mine = "true"
	}
	state := f.State
	if state == "any" {
		state = ""
	}
	var found listing[admin.ReviewItemView]
	err := v.Get(&found, Query("/reviews/"+url.PathEscape(r.ID)+"/items", "mine", mine, "state", state, "person", f.Person, "role", f.Role, "risk", f.Risk, "recommend", f.Recommend,
		"cursor", v.Query("cursor"), "limit", strconv.Itoa(itemsShown)))
	switch {
	case err != nil && out.Narrow && statusOf(err) < 500: // of nobody, or a word that is none
		v.fault = wordsOf(err)
	case err != nil:
		return nil, err
	}
	out.Next, out.Shown = found.Next, len(found.Items)
	cards := make([]itemCard, len(found.Items))
	for i, item := range found.Items {
		cards[i] = cardOf(v, r, item, f.By)
		cards[i].Back = v.Again("last", "", "at", "")
		if i > 0 {
			cards[i-1].Then = item.ID
		}
		out.Bulk = out.Bulk || item.Mine
	}
	if err := noteSeen(v, r.ID, found.Items); err != nil {
		return nil, err
	}
	if out.Last, err = lastDecided(v, r); err != nil {
		return nil, err
	}
	for i := range cards { // it stands where whoever decided goes on
		if out.Last != nil && cards[i].ID == v.Query("at") {
			cards[i].Before, out.Last = out.Last, nil
		}
	}
	out.Groups = grouped(v, cards, f.By)
	return out, nil
}

// filterOf is which items are asked for: those that wait for whoever looks, where there
// are any.
func filterOf(v *Visit, out reviewView) itemFilter {
	f := itemFilter{State: v.Query("state"), Person: strings.TrimSpace(v.Query("person")), Role: strings.TrimSpace(v.Query("role")), Risk: v.Query("risk"), Recommend: v.Query("recommend"), By: v.Query("by")}
	switch {
	case !out.Every:
		f.Mine, f.State = true, ""
	case f.State == "" && out.Waiting > 0:
		f.Mine = true
	case f.State == "" && out.Over():
		f.State = "any"
	case f.State == "":
		f.State = string(model.ItemPending)
	}
	if f.By != "person" && f.By != "role" {
		if f.By = "person"; out.Scope.Role != "" || out.Scope.Target != "" {
			f.By = "role"
		}
	}
	return f
}

// noteSeen tells the API what whoever looks has before them. A page that asks for itself
// again, or that a browser fetches in advance, is perhaps looked at by nobody.
func noteSeen(v *Visit, review string, items []admin.ReviewItemView) error {
	h, asked := v.request.Header, v.Caller.May("ask") == nil
	if v.request.Method != http.MethodGet || h.Get("X-Live") != "" || h.Get("Sec-Purpose") != "" || !asked {
		return nil
	}
	var in admin.ReviewSeen
	for _, i := range items {
		if i.Mine && !i.ShownYet {
			in.Items = append(in.Items, i.ID)
		}
	}
	if len(in.Items) == 0 {
		return nil
	}
	plain := *v
	plain.Form = url.Values{} // the key there is that of a decision
	return plain.Post(in, nil, "/reviews/%s/seen", review)
}

// lastDecided is the item that was decided on the page before this one, so that a slip
// can be put right.
func lastDecided(v *Visit, r admin.ReviewView) (*itemCard, error) {
	id := v.Query("last")
	if id == "" {
		return nil, nil
	}
	var item admin.ReviewItemView
	if err := v.Get(&item, "/reviews/%s/items/%s", r.ID, id); err != nil {
		if statusOf(err) >= 500 {
			return nil, err
		}
		return nil, nil
	}
	card := cardOf(v, r, item, "")
	if item.Decision == nil {
		return nil, nil
	}
	card.Change = changeable(v, r, item)
	return &card, nil
}

// grouped puts items of a page together that belong together, in the order in which the
// first of each stands.
func grouped(v *Visit, cards []itemCard, by string) (out []itemGroup) {
	at := map[string]int{}
	for _, c := range cards {
		key, g := c.Identity+c.Person, itemGroup{Title: c.Person, Only: v.Again("person", c.Identity, "cursor", "", "last", "", "at", "")}
		if c.Peruse && c.Identity != "" {
			g.Link = personPath(c.Identity)
		}
		switch {
		case by == "role":
			key, g = c.What, itemGroup{Title: c.What}
			if c.Role != "" {
				g.Only = v.Again("role", c.Role, "cursor", "", "last", "", "at", "")
				if c.Peruse {
					g.Link = "/roles/" + url.PathEscape(c.Role)
				}
			}
		case c.Identity == "":
			key, g.Only = "", ""
			g.Title = "Accounts that are nobody's"
		}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, g)
		}
		out[i].Items = append(out[i].Items, c)
	}
	return out
}

// itemWhat is what an item is about, for people.
func itemWhat(i model.ReviewItem) string {
	switch {
	case i.Role != "":
		return "Role " + i.Role
	case i.Identity == "":
		return "Account at " + i.Target
	}
	return "Group " + i.Group + " at " + i.Target
}

func cardOf(v *Visit, r admin.ReviewView, i admin.ReviewItemView, by string) itemCard {
	out := itemCard{ReviewItemView: i, By: by, What: itemWhat(i.ReviewItem), Is: itemWords(i.State), Peruse: v.Caller.May("read") == nil, Back: v.Again(),
		Here: reviewPath(r.ID) + "/items/" + url.PathEscape(i.ID), Ends: i.Identity != ""}
	if v.Form.Get("about") == i.ID {
		out.Fault = v.fault
	}
	if out.Title = out.What; by == "role" {
		out.Title = i.Person
	}
	out.Mine = i.Mine && v.Caller.May("ask") == nil
	out.Reason = i.Hints.Recommend == model.VerdictRevoke
	out.Alone = out.Reason || i.Hints.Risk == "high"
	if h := i.Hints; h.Peers > 0 && !strings.Contains(h.Because, "of the same manager") { // else the advice says it
		out.Peers = fmt.Sprintf("%d of %s with the same manager %s it", h.Holding, plural(h.Peers, "other person"), map[bool]string{true: "has", false: "have"}[h.Holding == 1])
		out.Percent = h.Holding * 100 / h.Peers
	}
	out.Trail = trailOf(i.ReviewItem)
	return out
}

// changeable reports whether whoever looks may change the decision about an item: it is
// theirs, and the stage is not over.
func changeable(v *Visit, r admin.ReviewView, i admin.ReviewItemView) bool {
	d := i.Decision
	if d == nil || d.Rule || i.Mine || r.State != model.CampaignOpen || i.Stage != r.Stage || v.Caller.May("ask") != nil {
		return false
	}
	switch i.State {
	case model.ItemPending, model.ItemGone, model.ItemUndecided:
		return false
	case model.ItemDecided, model.ItemKept, model.ItemEnding, model.ItemRevoking, model.ItemEvaluated, model.ItemRevoked:
	}
	switch {
	case v.Caller.Person == "":
		return v.Caller.Role == admin.RoleAdmin
	case v.Caller.Role == admin.RolePerson: // they are shown nothing else that is decided
		return true
	}
	var me admin.IdentityView
	return v.Get(&me, "/identities/%s", v.Caller.Person) == nil && me.ID == d.Person
}

// trailOf is what happened to an item, in order.
func trailOf(i model.ReviewItem) (out []itemStep) {
	all := i.Earlier
	if i.Decision != nil {
		all = append(slices.Clip(all), *i.Decision)
	}
	for _, d := range all {
		out = append(out, itemStep{At: d.At, Text: decisionWords(d)})
	}
	if c := i.Carried; c != nil {
		if c.EvaluatedAt != nil {
			out = append(out, itemStep{At: c.EvaluatedAt, Text: "taken away in the hub"})
		}
		if c.VerifiedAt != nil {
			out = append(out, itemStep{At: c.VerifiedAt, Text: "seen to be gone at the target"})
		}
		if c.Note != "" && c.VerifiedAt == nil {
			out = append(out, itemStep{Text: "still open: " + c.Note, Bad: true})
		}
	}
	return out
}

// decisionWords is a decision in one sentence.
func decisionWords(d model.ReviewDecision) string {
	what := map[string]string{model.VerdictKeep: "keep", model.VerdictRevoke: "revoke", model.VerdictUntil: "keep until "}[d.Verdict]
	if d.Until != nil {
		what += d.Until.UTC().Format("2006-01-02")
	}
	out := fmt.Sprintf("%s, by %s", cmp.Or(what, d.Verdict), d.By)
	if d.Rule {
		out = what + ", by the rule of the review: nobody had decided"
	}
	words := []string{out}
	for _, m := range []struct {
		is   bool
		text string
	}{{d.DeputyOf != "", "as a deputy"}, {d.Override, "in the place of who was asked"}, {d.Bulk, "together with others"}, {d.Against, "against the recommendation"}} {
		if m.is {
			words = append(words, m.text)
		}
	}
	out = strings.Join(words, ", ")
	if d.Reason != "" {
		out += ": “" + d.Reason + "”"
	}
	return out
}

// reviewItemView is the page of one item.
type reviewItemView struct {
	itemCard
	Review reviewLine
}

// Card is the item.
func (v reviewItemView) Card() itemCard { return v.itemCard }

func showReviewItem(v *Visit) (any, error) {
	var r admin.ReviewView
	if err := v.Get(&r, "/reviews/%s", v.Var("review")); err != nil {
		return nil, err
	}
	var item admin.ReviewItemView
	if err := v.Get(&item, "/reviews/%s/items/%s", r.ID, v.Var("item")); err != nil {
		return nil, err
	}
	out := reviewItemView{itemCard: cardOf(v, r, item, ""), Review: lineOfReview(r)}
	out.Change = changeable(v, r, item)
	return out, noteSeen(v, r.ID, []admin.ReviewItemView{item})
}
