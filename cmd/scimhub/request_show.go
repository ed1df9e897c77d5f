package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

func printRequest(w io.Writer, v hub.RequestView) error {
	rows := [][]string{{"id", v.ID}, {"role", v.Role}, {"for", v.For}, {"state", string(v.State)}, {"asked by", v.Asker},
		{"asked", moment(&v.Created)}, {"reason", dash(v.Reason)}, {"from", moment(v.From)}, {"until", moment(v.Until)}}
	if v.Origin != model.OriginAsked {
		rows = append(rows, []string{"origin", v.Origin})
	}
	if v.Why != "" {
		rows = append(rows, []string{"why", v.Why})
	}
	for i, s := range v.Steps {
		rows = append(rows, stepRows(fmt.Sprintf("step %d", i+1), s)...)
	}
	for _, r := range v.Reviewed {
		rows = append(rows, reviewRows("reviewed", r)...)
	}
	if v.Review != nil {
		rows = append(rows, reviewRows("review", *v.Review)...)
	}
	if len(v.WaitsFor) > 0 {
		rows = append(rows, []string{"waits for", strings.Join(v.WaitsFor, ", ")})
	}
	return columns(w, "FACT VALUE", rows)
}

func reviewRows(name string, r model.Review) [][]string {
	text := r.Why
	if r.About != "" {
		text += " (" + r.About + ")"
	}
	return append([][]string{{name, text + ", due " + moment(&r.Due)}}, stepRows(name, r.Step)...)
}

func stepRows(name string, s model.Step) (rows [][]string) {
	mode := "any of "
	if s.All {
		mode = "all of "
	}
	asked := mode + strings.Join(s.Approvers, ", ")
	if len(s.Approvers) == 1 {
		asked = s.Approvers[0]
	}
	if len(s.Conflict) > 0 {
		asked += ", for an exception to hold together " + strings.Join(s.Conflict, ", ")
	}
	if len(s.Escalated) > 0 {
		asked += ", escalated to " + strings.Join(s.Escalated, ", ")
	}
	rows = append(rows, []string{name, asked})
	for _, d := range s.Decisions {
		text := "no"
		if d.Approve {
			text = "yes"
		}
		text += " by " + d.Actor + " on " + moment(&d.At)
		if d.Deputy != "" {
			text += ", as deputy"
		}
		if d.Override {
			text += ", overriding"
		}
		if d.Reason != "" {
			text += ": " + d.Reason
		}
		rows = append(rows, []string{"", text})
	}
	return rows
}
