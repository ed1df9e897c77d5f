package admin

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
)

// exportReview writes all items of a review, as one JSON object or as CSV.
func (a *API) exportReview(r *http.Request, by Caller) (any, error) {
	id := mux.Vars(r)["review"]
	view, err := a.Hub.ShownReview(r.Context(), by.who(), by.seesAll(), id)
	if err != nil {
		return nil, err
	}
	switch r.URL.Query().Get("format") {
	case "", "json":
		return streamed{"application/json", func(ctx context.Context, w *bufio.Writer) error { return a.reviewJSON(ctx, w, id, view) }}, nil
	case "csv":
		return streamed{"text/csv; charset=utf-8", func(ctx context.Context, w *bufio.Writer) error { return a.reviewCSV(ctx, w, id) }}, nil
	}
	return nil, model.Fail(model.Invalid, "format must be csv or json", nil)
}

func (a *API) reviewJSON(ctx context.Context, w *bufio.Writer, id string, view ReviewView) error {
	head, err := json.Marshal(view)
	if err != nil {
		return err
	}
	_, _ = w.WriteString(`{"review":` + string(head) + `,"items":[`)
	first := true
	err = a.Hub.EachReviewItem(ctx, id, func(i model.ReviewItem) error {
		if !first {
			_ = w.WriteByte(',')
		}
		first = false
		line, err := json.Marshal(i)
		if err != nil {
			return err
		}
		_ = w.WriteByte('\n')
		_, err = w.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.WriteString("\n]}\n")
	return err
}

// reviewColumns are the columns of the export as CSV.
func reviewColumns() []string {
	return []string{"item", "person", "identity", "role", "target", "group", "state", "why", "approved_by", "since", "until", "risk", "last_use", "recommend", "recommend_because",
		"decision", "decision_until", "reason", "decided_by", "deputy_of", "override", "decided_at", "evaluated_at", "verified_at", "note", "sealed"}
}

func (a *API) reviewCSV(ctx context.Context, w *bufio.Writer, id string) error {
	out := csv.NewWriter(w)
	if err := out.Write(reviewColumns()); err != nil {
		return err
	}
	err := a.Hub.EachReviewItem(ctx, id, func(i model.ReviewItem) error {
		row := reviewRow(i)
		for n := range row {
			row[n] = cell(row[n])
		}
		return out.Write(row)
	})
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

func reviewRow(i model.ReviewItem) []string {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	d, c := model.ReviewDecision{}, model.ReviewCarried{}
	decided := ""
	if i.Decision != nil {
		d = *i.Decision
		decided = at(&d.At)
	}
	if i.Carried != nil {
		c = *i.Carried
	}
	override := ""
	if d.Override {
		override = "true"
	}
	return []string{i.ID, i.Person, i.Identity, i.Role, i.Target, i.Group, string(i.State), strings.Join(i.Access.Why, "; "), i.Access.ApprovedBy, at(i.Access.Since), at(i.Access.Until), i.Hints.Risk,
		at(i.Hints.LastUse), i.Hints.Recommend, i.Hints.Because, d.Verdict, at(d.Until), d.Reason, d.By, d.DeputyOf, override, decided, at(c.EvaluatedAt), at(c.VerifiedAt), c.Note, i.Sealed}
}
