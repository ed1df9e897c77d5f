package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// placed is a change with its place in the order of time.
type placed struct {
	ChangeEvidence
	kind, key string
}

// changeAt is where a listing of changes goes on.
type changeAt struct {
	From  time.Time `json:"f"`
	Until time.Time `json:"u"`
	At    time.Time `json:"t"`
	Kind  string    `json:"k"`
	Key   string    `json:"y"`
}

// place is where the rows of a kind go on.
func (c changeAt) place(kind string) store.Place {
	switch {
	case kind < c.Kind:
		return store.Place{At: c.At, Whole: true}
	case kind > c.Kind:
		return store.Place{At: c.At, None: true}
	}
	return store.Place{At: c.At, Key: c.Key}
}

func (c changeAt) before(p placed) bool {
	return cmp.Or(c.At.Compare(p.At), strings.Compare(c.Kind, p.kind), strings.Compare(c.Key, p.key)) < 0
}

// evidencePerson lists all changes of one person, of all identities that turned out to
// be them, in order of time.
func (a *API) evidencePerson(r *http.Request, by Caller) (any, error) {
	var ids []string
	var name string
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.PersonNamed(mux.Vars(r)["person"])
		if err != nil {
			return err
		}
		name = row.Name
		ids, err = tx.MergedInto(row.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	at, err := a.changesFrom(r)
	if err != nil {
		return nil, err
	}
	params := map[string]string{"person": ids[0], "from": at.From.UTC().Format(time.RFC3339Nano), "until": at.Until.UTC().Format(time.RFC3339Nano)}
	if len(ids) > 1 {
		params["identities"] = strings.Join(ids, ", ")
	}
	return evidence[ChangeEvidence]{kind: "person", question: "what changed for " + name + ", when, and by whom", params: params,
		columns: []string{"at", "kind", "what", "actor", "object", "text", "ref"},
		cells: func(c ChangeEvidence) []string {
			return []string{c.At.UTC().Format(time.RFC3339Nano), c.Kind, c.What, c.Actor, c.Object, c.Text, c.Ref}
		},
		page: func(ctx context.Context, cursor string, limit int) ([]ChangeEvidence, string, error) {
			return a.changesPage(ctx, ids, at, cursor, limit)
		}}.answer(a, r, by)
}

// changesFrom reads from and until, or the cursor that has them.
func (a *API) changesFrom(r *http.Request) (c changeAt, err error) {
	v := r.URL.Query()
	if v.Get("cursor") != "" {
		return readChangeCursor(v.Get("cursor"))
	}
	c.Until = a.now()
	if text := v.Get("from"); text != "" {
		if c.From, err = a.readMoment("from", text); err != nil {
			return c, err
		}
	} else {
		c.From = time.Unix(0, 0).UTC()
	}
	if text := v.Get("until"); text != "" {
		if c.Until, err = a.readMoment("until", text); err != nil {
			return c, err
		}
	}
	if c.Until.Before(c.From) {
		return c, model.Fail(model.Invalid, "until must not be before from", nil)
	}
	c.At = c.From
	return c, nil
}

func readChangeCursor(text string) (c changeAt, err error) {
	plain, err := decodeCursor(text)
	if err == nil {
		err = json.Unmarshal([]byte(plain), &c)
	}
	if err != nil || strings.ContainsRune(c.Kind+c.Key, 0) {
		return c, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
	}
	return c, nil
}

func (a *API) changesPage(ctx context.Context, ids []string, at changeAt, cursor string, limit int) (out []ChangeEvidence, next string, err error) {
	if cursor != "" {
		if at, err = readChangeCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	var all []placed
	err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
		for _, read := range []func(*store.Tx, []string, changeAt, int) ([]placed, error){factChanges, accountChanges, eventChanges, auditChanges, decidedChanges} {
			list, err := read(tx, ids, at, limit+1)
			if err != nil {
				return err
			}
			all = append(all, list...)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(all, func(x, y placed) int {
		return cmp.Or(x.At.Compare(y.At), strings.Compare(x.kind, y.kind), strings.Compare(x.key, y.key))
	})
	if len(all) > limit {
		all = all[:limit]
		last := all[limit-1]
		text, _ := json.Marshal(changeAt{at.From, at.Until, last.At, last.kind, last.key})
		next = base64.RawURLEncoding.EncodeToString(text)
	}
	for _, p := range all {
		out = append(out, p.ChangeEvidence)
	}
	return out, next, nil
}

// factChanges says what of the merged record, the stage and the roles differs from the
// version before.
func factChanges(tx *store.Tx, ids []string, at changeAt, limit int) (out []placed, err error) {
	rows, err := tx.FactsAfter(ids, at.place("facts"), at.Until, limit)
	if err != nil {
		return nil, err
	}
	last := map[string]store.HistoryDoc{}
	for _, row := range rows {
		before, known := last[row.Identity]
		if !known {
			h, _, err := tx.HistoryAt(row.Identity, row.At.Add(-time.Microsecond))
			if err != nil {
				return nil, err
			}
			before = h.Doc
		}
		last[row.Identity] = row.Doc
		words, data := docsDiffer(before, row.Doc)
		if len(words) == 0 {
			words = []string{"what decisions rest on, and nothing that they give"}
		}
		out = append(out, placed{ChangeEvidence{At: row.At, Kind: "facts", What: "changed", Text: strings.Join(words, "; "), Object: row.Identity, Data: data}, "facts", row.Identity})
	}
	return out, nil
}

// docsDiffer says in words what differs between two versions of a person.
func docsDiffer(a, b store.HistoryDoc) (words []string, data map[string]any) {
	data = map[string]any{}
	if a.Stage != b.Stage {
		words = append(words, fmt.Sprintf("stage: %s becomes %s", cmp.Or(string(a.Stage), "none"), cmp.Or(string(b.Stage), "none")))
		data["stage"] = b.Stage
	}
	before, after := model.Flat(a.User), model.Flat(b.User)
	all := maps.Clone(before)
	maps.Copy(all, after)
	changed := map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if reflect.DeepEqual(before[path], after[path]) {
			continue
		}
		source := model.OriginOf(b.Origin, path)
		changed[path] = map[string]any{"before": before[path], "after": after[path], "source": source}
		text := path + ": " + valueWords(before[path]) + " becomes " + valueWords(after[path])
		if source != "" {
			text += " (" + source + ")"
		}
		words = append(words, text)
	}
	if len(changed) > 0 {
		data["facts"] = changed
	}
	roles := func(d store.HistoryDoc) (out []string) {
		for _, g := range d.Grants {
			out = append(out, g.Role)
		}
		return out
	}
	for _, role := range missingFrom(roles(b), roles(a)) {
		words = append(words, "gains the role "+role)
	}
	for _, role := range missingFrom(roles(a), roles(b)) {
		words = append(words, "loses the role "+role)
	}
	for _, f := range missingFrom(b.Findings, a.Findings) {
		words = append(words, "finding: "+f)
	}
	return words, data
}

// accountChanges says how accounts at targets came to be otherwise.
func accountChanges(tx *store.Tx, ids []string, at changeAt, limit int) (out []placed, err error) {
	rows, err := tx.AccountVersions(ids, at.place("account"), at.Until, limit)
	if err != nil {
		return nil, err
	}
	last := map[[2]string]store.AccountHistory{}
	for _, h := range rows {
		key := [2]string{h.Identity, h.Target}
		before, known := last[key]
		if !known {
			if before, _, err = tx.AccountBefore(h.Identity, h.Target, h.At); err != nil {
				return nil, err
			}
		}
		last[key] = h
		var words []string
		for _, w := range accountsDiffer(before.Desired, h.Desired) {
			words = append(words, "due: "+w)
		}
		for _, w := range accountsDiffer(before.Applied, h.Applied) {
			words = append(words, "done: "+w)
		}
		if before.State != h.State {
			words = append(words, "state "+string(h.State))
		}
		if h.LastError != "" {
			words = append(words, h.LastError)
		}
		if len(words) == 0 {
			words = []string{"the reasons changed"}
		}
		data := map[string]any{"state": h.State, "due": h.Desired, "done": h.Applied}
		out = append(out, placed{ChangeEvidence{At: h.At, Kind: "account", What: string(h.State), Object: h.Target, Text: h.Target + ": " + strings.Join(words, "; "), Data: data},
			"account", h.Identity + " " + h.Target})
	}
	return out, nil
}

func eventChanges(tx *store.Tx, ids []string, at changeAt, limit int) (out []placed, err error) {
	events, err := tx.EventsAfter(ids, at.place("event"), at.Until, limit)
	for _, e := range events {
		text := e.Type
		if e.Source != "" {
			text += ", by the source " + e.Source
		}
		out = append(out, placed{ChangeEvidence{At: e.At, Kind: "event", What: e.Type, Actor: e.Source, Text: text, Data: e.Data, Ref: e.ID}, "event", e.ID})
	}
	return out, err
}

func auditChanges(tx *store.Tx, ids []string, at changeAt, limit int) (out []placed, err error) {
	entries, err := tx.AuditAfter(ids, at.place("audit"), at.Until, limit)
	for _, e := range entries {
		c := ChangeEvidence{At: e.At, Kind: "audit", What: e.Action, Actor: e.Actor, Object: e.Object, Text: e.Actor + ": " + e.Action + " " + e.Object, Ref: fmt.Sprintf("%d.%d", e.Lane, e.Seq)}
		if c.Data = e.Data; e.Erased() {
			c.Data, c.Text = nil, c.Text+" (its data was erased)"
		} else if len(e.Data) == 0 {
			c.Data = nil
		}
		out = append(out, placed{c, "audit", store.AuditKey(e)})
	}
	return out, err
}

// decidedChanges are grants, requests, exceptions and reviews: a person has few of them.
func decidedChanges(tx *store.Tx, ids []string, at changeAt, _ int) (out []placed, err error) {
	var all []placed
	add := func(kind, key string, when *time.Time, c ChangeEvidence) {
		if when != nil {
			c.At, c.Kind = *when, kind
			all = append(all, placed{c, kind, key})
		}
	}
	if err := grantChanges(tx, ids, at, add); err != nil {
		return nil, err
	}
	if err := requestChanges(tx, ids, add); err != nil {
		return nil, err
	}
	if err := reviewChanges(tx, ids, add); err != nil {
		return nil, err
	}
	for _, p := range all {
		if at.before(p) && !p.At.After(at.Until) {
			out = append(out, p)
		}
	}
	return out, nil
}

type addChange func(kind, key string, when *time.Time, c ChangeEvidence)

func grantChanges(tx *store.Tx, ids []string, at changeAt, add addChange) error {
	grants, err := tx.GrantsEver(ids, "", at.From, at.Until)
	if err != nil {
		return err
	}
	for _, id := range ids {
		for _, g := range grants[id] {
			var why []string
			for _, r := range g.Because {
				why = append(why, policy.ReasonText(r))
			}
			from := g.From
			add("grant", g.ID+" 1", &from, ChangeEvidence{What: "granted", Actor: g.ApprovedBy, Object: g.Role, Ref: g.ID,
				Text: strings.TrimSuffix("the role "+g.Role+" is granted: "+strings.Join(why, "; "), ": ")})
			add("grant", g.ID+" 2", g.EndedAt, ChangeEvidence{What: "ended", Object: g.Role, Text: "the role " + g.Role + " ends", Ref: g.ID})
		}
	}
	return nil
}

func requestChanges(tx *store.Tx, ids []string, add addChange) error {
	requests, err := tx.RequestsAbout(ids)
	if err != nil {
		return err
	}
	for _, q := range requests {
		created := q.Created
		add("request", q.ID+" 0", &created, ChangeEvidence{What: "asked", Actor: q.Actor, Object: q.Role, Ref: q.ID, Text: withReason(q.Actor+" asks for the role "+q.Role, q.Reason)})
		n := 0
		decided := func(s model.Step, about string) {
			for _, d := range s.Decisions {
				n++
				when, what := d.At, map[bool]string{true: "approved", false: "denied"}[d.Approve]
				add("request", fmt.Sprintf("%s 1 %04d", q.ID, n), &when, ChangeEvidence{What: what, Actor: d.Actor, Object: q.Role, Ref: q.ID,
					Text: withReason(d.Actor+" says "+map[bool]string{true: "yes", false: "no"}[d.Approve]+about+" to the role "+q.Role, d.Reason)})
			}
		}
		for _, s := range q.Steps {
			decided(s, "")
		}
		for _, v := range q.Reviewed {
			decided(v.Step, " after the fact")
		}
		if q.Review != nil {
			decided(q.Review.Step, " after the fact")
		}
		add("request", q.ID+" 2", q.Closed, ChangeEvidence{What: string(q.State), Object: q.Role, Ref: q.ID, Text: withReason("the request for the role "+q.Role+" is "+string(q.State), q.Why)})
	}
	exceptions, err := tx.ExceptionsAbout(ids)
	for _, x := range exceptions {
		from := x.From
		roles := strings.Join(x.Roles, ", ")
		add("exception", x.ID+" 1", &from, ChangeEvidence{What: "allowed", Actor: x.By, Object: roles, Ref: x.ID,
			Text: withReason(x.By+" allows "+roles+" together until "+x.Until.UTC().Format(time.RFC3339)+"; "+cmp.Or(x.OwnerName, x.Owner)+" answers for it", x.Reason)})
		add("exception", x.ID+" 2", x.EndedAt, ChangeEvidence{What: "ended", Object: roles, Ref: x.ID, Text: "the exception for " + roles + " ends"})
	}
	return err
}

// reviewChanges are the decisions of access reviews.
func reviewChanges(tx *store.Tx, ids []string, add addChange) error {
	items, err := tx.ReviewedAbout(ids)
	for _, item := range items {
		decisions := item.Earlier
		if item.Decision != nil {
			decisions = append(slices.Clone(decisions), *item.Decision)
		}
		object := strings.Trim(item.Role+" "+strings.TrimSuffix(item.Target+":"+item.Group, ":"), " ")
		for n, d := range decisions {
			when := d.At
			text := d.By + ": " + d.Verdict
			if d.Until != nil {
				text += " " + d.Until.UTC().Format(time.DateOnly)
			}
			add("review", fmt.Sprintf("%s %04d", item.ID, n), &when, ChangeEvidence{What: d.Verdict, Actor: d.By, Object: object, Ref: item.Review, Text: withReason("access review: "+text+", "+object, d.Reason)})
		}
		if c := item.Carried; c != nil {
			add("review", item.ID+" carried", c.VerifiedAt, ChangeEvidence{What: "carried out", Object: object, Ref: item.Review, Text: "access review: taken away and seen to be gone, " + object})
		}
	}
	return err
}

func withReason(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}
