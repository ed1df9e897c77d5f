package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// How many people are looked at together, and for one page at most.
const (
	accessChunk = 100
	accessMost  = 700
)

// accessQuestion is who had access to what, and when.
type accessQuestion struct {
	target, group, role string
	from, until         time.Time // the same: at that moment
	all                 bool      // also what was due and not there, or there and let nobody in
}

func (q accessQuestion) moment() bool { return q.from.Equal(q.until) }

// evidenceAccess answers who had access: GET /evidence/access?target=&group=&role=&at=,
// or from= and until=.
func (a *API) evidenceAccess(r *http.Request, by Caller) (any, error) {
	q, err := a.accessQuestion(r)
	if err != nil {
		return nil, err
	}
	params := map[string]string{}
	for name, value := range map[string]string{"target": q.target, "group": q.group, "role": q.role} {
		if value != "" {
			params[name] = value
		}
	}
	words := "who had access"
	if q.target != "" {
		words += " to " + strings.TrimSuffix(q.target+":"+q.group, ":")
	}
	if q.role != "" {
		words += " by the role " + q.role
	}
	if q.moment() {
		params["at"] = q.from.UTC().Format(time.RFC3339Nano)
		words += " at " + params["at"]
	} else {
		params["from"], params["until"] = q.from.UTC().Format(time.RFC3339Nano), q.until.UTC().Format(time.RFC3339Nano)
		words += " between " + params["from"] + " and " + params["until"]
	}
	if q.all {
		params["all"] = "true"
	}
	return evidence[AccessEvidence]{kind: "access", question: words + ", why, and who approved it", params: params,
		columns: []string{"identity", "user_name", "stage", "target", "group", "role", "because", "approved_by", "since", "until", "access_from", "access_until", "state", "verified_at", "request", "note"},
		cells:   accessCells,
		page: func(ctx context.Context, cursor string, limit int) ([]AccessEvidence, string, error) {
			return a.accessPage(ctx, q, cursor, limit)
		}}.answer(a, r, by)
}

func (a *API) accessQuestion(r *http.Request) (q accessQuestion, err error) {
	v := r.URL.Query()
	q = accessQuestion{target: v.Get("target"), group: v.Get("group"), role: v.Get("role")}
	if q.target == "" && q.role == "" {
		return q, model.Fail(model.Invalid, "say to what: target, with or without group, or role", nil)
	}
	if q.group != "" && q.target == "" {
		return q, model.Fail(model.Invalid, "group needs the target that it is at", nil)
	}
	if text := v.Get("all"); text != "" {
		if q.all, err = strconv.ParseBool(text); err != nil {
			return q, model.Fail(model.Invalid, "all must be true or false", err)
		}
	}
	if at, ok, err := accessCursor(v.Get("cursor")); err != nil || ok { // every page is of the same moment
		q.from, q.until = at.From, at.Until
		return q, err
	}
	q.from, q.until, err = a.span(v.Get("at"), v.Get("from"), v.Get("until"))
	return q, err
}

// span reads a moment, or two; with none it is now, with one of two the other end is the
// beginning, or now.
func (a *API) span(at, from, until string) (first, last time.Time, err error) {
	if at != "" && from+until != "" {
		return first, last, model.Fail(model.Invalid, "say either at, or from and until", nil)
	}
	now := a.now()
	if from+until == "" {
		first = now
		if at != "" {
			first, err = a.readMoment("at", at)
		}
		last = first
	} else {
		last = now
		if from != "" {
			first, err = a.readMoment("from", from)
		}
		if err == nil && until != "" {
			last, err = a.readMoment("until", until)
		}
		if err == nil && last.After(now) {
			last = now
		}
	}
	switch {
	case err != nil:
	case first.After(now):
		err = model.Fail(model.Invalid, first.Format(time.RFC3339)+" has not come yet", nil)
	case last.Before(first):
		err = model.Fail(model.Invalid, "until must not be before from", nil)
	}
	return first, last, err
}

// accessAt is where a listing goes on.
type accessAt struct {
	From  time.Time `json:"f"`
	Until time.Time `json:"u"`
	After string    `json:"a"`           // identity
	Skip  int       `json:"s,omitempty"` // items of the next identity that were shown already
}

func (c accessAt) String() string {
	text, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(text)
}

func accessCursor(text string) (c accessAt, ok bool, err error) {
	if text == "" {
		return c, false, nil
	}
	plain, err := decodeCursor(text)
	if err == nil {
		err = json.Unmarshal([]byte(plain), &c)
	}
	if err != nil || c.Skip < 0 || strings.ContainsRune(c.After, 0) {
		return c, false, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
	}
	return c, true, nil
}

// accessPage goes through the people who may have had it, by id.
func (a *API) accessPage(ctx context.Context, q accessQuestion, cursor string, limit int) (items []AccessEvidence, next string, err error) {
	at, ok, err := accessCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	if !ok {
		at = accessAt{From: q.from, Until: q.until}
	}
	err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
		for looked := 0; looked < accessMost; looked += accessChunk {
			ids, err := everHad(tx, q, at.After)
			if err != nil {
				return err
			}
			found, err := a.accessOf(tx, q, ids)
			if err != nil {
				return err
			}
			for _, id := range ids {
				list := found[id]
				list = list[min(at.Skip, len(list)):]
				if room := limit - len(items); len(list) > room {
					items = append(items, list[:room]...)
					at.Skip += room
					next = at.String()
					return nil
				}
				items = append(items, list...)
				at.After, at.Skip = id, 0
			}
			if len(ids) < accessChunk {
				return nil
			}
			if len(items) == limit {
				break
			}
		}
		next = at.String()
		return nil
	})
	return items, next, err
}

func everHad(tx *store.Tx, q accessQuestion, after string) ([]string, error) {
	if q.target != "" {
		return tx.EverAt(q.target, after, accessChunk)
	}
	return tx.EverHeld(q.role, after, accessChunk)
}

// accessOf answers for some people, by identity.
func (a *API) accessOf(tx *store.Tx, q accessQuestion, ids []string) (map[string][]AccessEvidence, error) {
	past, err := readPast(tx, q, ids)
	if err != nil {
		return nil, err
	}
	out := map[string][]AccessEvidence{}
	for _, id := range ids {
		if row, ok := past.rows[id]; ok {
			out[id] = past.answer(q, row)
		}
	}
	return out, nil
}

// pastOfMany is what was known and true of some people between two moments.
type pastOfMany struct {
	rows       map[string]store.IdentityRow
	docs       map[string][]store.HistoryRow
	accounts   map[string][]store.AccountHistory
	grants     map[string][]store.GrantEver // of those who were erased
	requests   map[string]model.Request
	exceptions map[string]model.Exception
}

func readPast(tx *store.Tx, q accessQuestion, ids []string) (p pastOfMany, err error) {
	if p.rows, err = tx.IdentitiesByID(ids); err != nil {
		return p, err
	}
	if p.docs, err = tx.HistoryBetween(ids, q.from, q.until); err != nil {
		return p, err
	}
	var erased []string
	for _, id := range ids {
		if p.rows[id].ErasedAt != nil {
			erased = append(erased, id)
		}
	}
	if p.grants, err = tx.GrantsEver(erased, "", q.from, q.until); err != nil {
		return p, err
	}
	if q.target != "" {
		if p.accounts, err = tx.AccountsBetween(ids, q.target, q.from, q.until); err != nil {
			return p, err
		}
	}
	return p, p.behind(tx)
}

// behind reads the requests and exceptions that reasons name and histories do not have.
func (p *pastOfMany) behind(tx *store.Tx) (err error) {
	requests, exceptions := map[string]bool{}, map[string]bool{}
	note := func(list []model.Reason) {
		for _, r := range list {
			requests[r.Request], exceptions[r.Exception] = true, true
		}
	}
	for _, list := range p.accounts {
		for _, acc := range list {
			for _, reasons := range acc.Because {
				note(reasons)
			}
		}
	}
	for _, list := range p.docs {
		for _, h := range list {
			for _, g := range h.Doc.Grants {
				note(g.Because)
			}
		}
	}
	if p.requests, err = tx.RequestsByID(namesIn(requests)); err != nil {
		return err
	}
	p.exceptions, err = tx.ExceptionsByID(namesIn(exceptions))
	return err
}

func namesIn(set map[string]bool) (out []string) {
	for name := range set {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
