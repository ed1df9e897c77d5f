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

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// evidenceConflicts lists the conflicts of the configuration, whom each concerns now, and
// the exceptions.
func (a *API) evidenceConflicts(r *http.Request, by Caller) (any, error) {
	if a.Hub.Snapshot() == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	return evidence[ConflictEvidence]{kind: "conflicts", question: "which roles nobody should hold together, who does, and who allowed it", params: map[string]string{},
		columns: []string{"conflict", "roles", "action", "identity", "user_name", "holds", "both", "message", "since", "exception_by", "exception_owner", "exception_until", "exception_reason"},
		cells:   conflictCells, page: a.conflictPage}.answer(a, r, by)
}

// conflictAt is where a listing of conflicts goes on: first findings, then exceptions.
type conflictAt struct {
	Conflict string `json:"c"`
	Excepted bool   `json:"x,omitempty"`
	After    string `json:"a,omitempty"`
}

// conflictPage goes through the conflicts in their order; of each those whom a finding
// names, then those whom an exception lets hold the roles.
func (a *API) conflictPage(ctx context.Context, cursor string, limit int) (out []ConflictEvidence, next string, err error) {
	var at conflictAt
	plain, err := decodeCursor(cursor)
	if err == nil && plain != "" {
		err = json.Unmarshal([]byte(plain), &at)
	}
	if err != nil {
		return nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
	}
	list := a.Hub.Snapshot().Doc.Conflicts
	n := 0
	if at.Conflict != "" {
		for n < len(list) && list[n].Name != at.Conflict {
			n++
		}
	}
	encode := func(at conflictAt) string {
		text, _ := json.Marshal(at)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	for ; n < len(list); n++ {
		c := ConflictEvidence{Conflict: list[n].Name, Roles: list[n].Roles, Action: list[n].Action}
		at.Conflict = c.Conflict
		if !at.Excepted {
			found, names, more, err := a.Hub.Store.Findings(ctx, store.FindingFilter{Kind: model.FindingConflict, Subject: c.Conflict, After: at.After, Limit: max(limit-len(out), 1)})
			if err != nil {
				return nil, "", err
			}
			for _, f := range found {
				item, since := c, f.Since
				item.Identity, item.UserName, item.Message, item.Since = f.Identity, names[f.Identity], f.Message, &since
				out = append(out, item)
			}
			if at.After = more; more == "" {
				at.Excepted = true
			}
		}
		if at.Excepted && len(out) < limit {
			items, more, err := a.exceptedPage(ctx, c, at.After, limit-len(out))
			if err != nil {
				return nil, "", err
			}
			if len(items) == 0 && at.After == "" && more == "" && !slices.ContainsFunc(out, func(o ConflictEvidence) bool { return o.Conflict == c.Conflict }) && cursor == "" {
				items = []ConflictEvidence{c} // it concerns nobody
			}
			out = append(out, items...)
			if at.After = more; more == "" {
				at = conflictAt{}
			}
		}
		if at.Conflict != "" { // there is more of this one
			next = encode(at)
			break
		}
		if len(out) >= limit && n+1 < len(list) {
			next = encode(conflictAt{Conflict: list[n+1].Name})
			break
		}
	}
	return out, next, a.conflictHolders(ctx, out)
}

// exceptedPage are people whom an exception lets hold roles of a conflict.
func (a *API) exceptedPage(ctx context.Context, c ConflictEvidence, after string, limit int) (out []ConflictEvidence, next string, err error) {
	for len(out) < limit {
		found, more, err := a.Hub.Store.Exceptions(ctx, store.ExceptionFilter{After: after, Limit: max(limit-len(out), 50)})
		if err != nil {
			return nil, "", err
		}
		for _, x := range found {
			if x.EndedAt != nil || len(missingFrom(x.Roles, c.Roles)) == len(x.Roles) {
				continue
			}
			item, since := c, x.From
			item.Identity, item.Since, item.Exceptions = x.Identity, &since, []model.Exception{x}
			item.Message = "allowed until " + x.Until.UTC().Format(time.RFC3339)
			out = append(out, item)
		}
		if after = more; more == "" {
			break
		}
	}
	return out, after, nil
}

// conflictHolders fills in which of the roles people hold now.
func (a *API) conflictHolders(ctx context.Context, items []ConflictEvidence) error {
	var ids []string
	for _, c := range items {
		if c.Identity != "" {
			ids = append(ids, c.Identity)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return a.Hub.Store.View(ctx, func(tx *store.Tx) error {
		names, err := tx.NamesOf(ids)
		if err != nil {
			return err
		}
		grants, err := tx.Grants(ids)
		if err != nil {
			return err
		}
		for i, c := range items {
			for _, g := range grants[c.Identity] {
				if slices.Contains(c.Roles, g.Role) {
					items[i].Holds = append(items[i].Holds, g.Role)
				}
			}
			items[i].UserName, items[i].Both = names[c.Identity], len(items[i].Holds) > 1
		}
		return nil
	})
}

func conflictCells(c ConflictEvidence) []string {
	var by, owner, until, reason []string
	for _, x := range c.Exceptions {
		name := x.OwnerName
		if name == "" {
			name = x.Owner
		}
		by, owner, until, reason = append(by, x.By), append(owner, name), append(until, stamp(&x.Until)), append(reason, x.Reason)
	}
	return []string{c.Conflict, strings.Join(c.Roles, " "), c.Action, c.Identity, c.UserName, strings.Join(c.Holds, " "), strconv.FormatBool(c.Both), c.Message, stamp(c.Since),
		strings.Join(by, "; "), strings.Join(owner, "; "), strings.Join(until, "; "), strings.Join(reason, "; ")}
}

// evidenceLeavers lists how long leavers kept access, a line for each target.
func (a *API) evidenceLeavers(r *http.Request, by Caller) (any, error) {
	v := r.URL.Query()
	f := store.LeaverFilter{Kind: model.RunLeaver}
	params := map[string]string{}
	for name, into := range map[string]*time.Time{"from": &f.Since, "until": &f.Until} {
		if text := v.Get(name); text != "" {
			at, err := a.readMoment(name, text)
			if err != nil {
				return nil, err
			}
			*into, params[name] = at, at.UTC().Format(time.RFC3339Nano)
		}
	}
	return evidence[LeaverEvidence]{kind: "leavers", question: "how long leavers kept access at each target", params: params,
		columns: []string{"identity", "user_name", "received_at", "target", "state", "accepted_at", "verified_at", "seconds", "goal", "over_goal", "attempts", "outcome", "note"},
		cells:   leaverCells,
		page: func(ctx context.Context, cursor string, limit int) ([]LeaverEvidence, string, error) {
			return a.leaverEvidence(ctx, f, cursor, limit)
		}}.answer(a, r, by)
}

// leaverEvidence is a page of runs; a page has a line for each of their targets.
func (a *API) leaverEvidence(ctx context.Context, f store.LeaverFilter, cursor string, limit int) (out []LeaverEvidence, next string, err error) {
	if f.After, err = decodeCursor(cursor); err != nil {
		return nil, "", err
	}
	f.Limit = limit
	runs, more, err := a.Hub.Store.LeaverRuns(ctx, f)
	if err != nil {
		return nil, "", err
	}
	for _, run := range runs {
		base := LeaverEvidence{Identity: run.Identity, UserName: run.UserName, Received: run.ReceivedAt, Outcome: run.Outcome}
		if len(run.Targets) == 0 {
			out = append(out, base)
		}
		for _, t := range run.Targets {
			out = append(out, a.leaverLine(base, t))
		}
	}
	return out, base64.RawURLEncoding.EncodeToString([]byte(more)), nil
}

func (a *API) leaverLine(e LeaverEvidence, t model.LeaverTarget) LeaverEvidence {
	e.Target, e.State, e.Accepted, e.Verified, e.Attempts, e.Note = t.Target, t.State, t.AcceptedAt, t.VerifiedAt, t.Attempts, t.Note
	if t.LastError != "" {
		e.Note = strings.TrimPrefix(e.Note+"; "+t.LastError, "; ")
	}
	goal := a.goalOf(t.Target)
	if goal > 0 {
		e.Goal = goal.String()
	}
	took := a.now().Sub(e.Received)
	if t.VerifiedAt != nil {
		took = t.VerifiedAt.Sub(e.Received)
		seconds := took.Seconds()
		e.Seconds = &seconds
	}
	e.OverGoal = goal > 0 && t.State != model.LeaverNotNeeded && took > goal
	return e
}

func leaverCells(e LeaverEvidence) []string {
	seconds := ""
	if e.Seconds != nil {
		seconds = strconv.FormatFloat(*e.Seconds, 'f', 3, 64)
	}
	return []string{e.Identity, e.UserName, stamp(&e.Received), e.Target, string(e.State), stamp(e.Accepted), stamp(e.Verified), seconds, e.Goal,
		strconv.FormatBool(e.OverGoal), strconv.Itoa(e.Attempts), e.Outcome, e.Note}
}

// evidenceReview lists what was decided in an access review, and what became of it.
func (a *API) evidenceReview(r *http.Request, by Caller) (any, error) {
	view, err := a.Hub.ShownReview(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["review"])
	if err != nil {
		return nil, err
	}
	params := map[string]string{"review": view.ID, "name": view.Name, "state": string(view.State)}
	if view.Digest != "" {
		params["closing digest"] = view.Digest
	}
	return evidence[model.ReviewItem]{kind: "review", question: "what was decided in the access review " + view.Name + ", by whom, and what became of it", params: params,
		columns: []string{"item", "identity", "person", "role", "target", "group", "state", "stage", "verdict", "until", "by", "for", "at", "reason", "evaluated_at", "verified_at", "sealed"},
		cells:   reviewCells,
		page: func(ctx context.Context, cursor string, limit int) (out []model.ReviewItem, next string, err error) {
			after, err := decodeCursor(cursor)
			if err != nil {
				return nil, "", err
			}
			err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
				out, next, err = tx.ReviewItems(store.ReviewItemFilter{Review: view.ID, After: after, Limit: limit})
				return err
			})
			return out, base64.RawURLEncoding.EncodeToString([]byte(next)), err
		}}.answer(a, r, by)
}

func reviewCells(i model.ReviewItem) []string {
	out := []string{i.ID, i.Identity, i.Person, i.Role, i.Target, i.Group, string(i.State), strconv.Itoa(i.Stage)}
	d, c := i.Decision, i.Carried
	if d == nil {
		d = &model.ReviewDecision{}
	}
	at := ""
	if !d.At.IsZero() {
		at = stamp(&d.At)
	}
	if c == nil {
		c = &model.ReviewCarried{}
	}
	return append(out, d.Verdict, stamp(d.Until), d.By, d.For, at, d.Reason, stamp(c.EvaluatedAt), stamp(c.VerifiedAt), i.Sealed)
}
