package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// auditView is the page of the audit trail.
type auditView struct {
	Actor, Action, Object, Person, Since, Until string // what is looked for

	Filtered, First bool
	Lines           []auditLine
	Next            string
	Reached         *time.Time            // how far back was looked without finding a full page
	Signed          *store.CheckpointBody // the last checkpoint; nil: none yet
	Lately          bool                  // it is of the last hour
	Export          []fileLink            // of the same time and person
	Kinds           []string              // beginnings of what is done, to choose from
}

// fileLink is a file that can be had of what a page shows.
type fileLink struct{ Text, Link string }

// auditLine is one entry, for people.
type auditLine struct {
	admin.AuditFound
	What    string // in words
	About   string // the object in words
	Link    string // its page; empty: it has none
	Glance  string // what matters of the data, in one line
	Details string // the data, laid out
	Cut     bool   // it is longer than shown
	Ref     string
}

// shownData is how much of an entry's data a page shows, bytes.
const shownData = 6000

func showAudit(v *Visit) (any, error) {
	out := auditView{Actor: v.Query("actor"), Action: v.Query("action"), Object: v.Query("object"), Person: strings.TrimSpace(v.Query("person")), Since: strings.TrimSpace(v.Query("since")), Until: strings.TrimSpace(v.Query("until")),
		First: v.Query("cursor") == "",
		Kinds: []string{"scim.", "scim.refused", "api.refused", "identity.", "request.", "review.", "exception.", "target.", "target.release", "source.", "config.apply", "token.", "session.", "task.", "proxy."}}
	out.Filtered = out.Actor+out.Action+out.Object+out.Person+out.Since+out.Until != ""
	for _, format := range []struct{ text, name string }{{"CSV", "csv"}, {"JSON lines, which can be verified", "jsonl"}} {
		out.Export = append(out.Export, fileLink{format.text, Query("/audit/export", "format", format.name, "since", out.Since, "until", out.Until, "identity", out.Person)})
	}
	var last store.Checkpoint
	switch err := v.Get(&last, "/audit/checkpoint"); {
	case err == nil:
		if body, err := last.Body(); err == nil {
			out.Signed, out.Lately = &body, v.console.Now().Sub(body.At) < time.Hour
		}
	case statusOf(err) != http.StatusNotFound:
		return nil, err
	}
	var found admin.AuditSearchAnswer
	err := v.Get(&found, Query("/audit/search", "actor", out.Actor, "action", out.Action, "object", out.Object, "person", out.Person, "since", out.Since, "until", out.Until,
		"cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	if err != nil {
		if !correctable(err) {
			return nil, err
		}
		v.fault = wordsOf(err)
		return out, nil
	}
	out.Next, out.Reached = found.Next, found.Reached
	for _, e := range found.Items {
		out.Lines = append(out.Lines, entryLine(e))
	}
	return out, nil
}

// correctable reports whether whoever asked can put right what is wrong, in the form that
// they see again.
func correctable(err error) bool {
	s := statusOf(err)
	return s == http.StatusBadRequest || s == http.StatusNotFound || s == http.StatusConflict
}

func entryLine(e admin.AuditFound) auditLine {
	out := auditLine{AuditFound: e, What: doneWords(e.Action), Ref: fmt.Sprintf("%d.%d", e.Lane, e.Seq)}
	out.About, out.Link = objectOf(e.Object, e.Person)
	if text := strings.TrimSpace(string(e.Data)); text != "" && text != "{}" {
		out.Glance = glance(e.Data)
		var data any
		if json.Unmarshal(e.Data, &data) == nil {
			text, _ = indented(data)
		}
		if len(text) > shownData {
			text, out.Cut = strings.ToValidUTF8(text[:shownData], ""), true
		}
		out.Details = text
	}
	return out
}

// objectOf is what an entry is about, in words, and its page.
func objectOf(object, person string) (text, link string) {
	kind, name, found := strings.Cut(object, "/")
	if !found || name == "" {
		return object, ""
	}
	pages := map[string]string{"identity": "/people/%s", "target": "/targets/%s", "request": "/requests/%s", "review": "/reviews/%s", "task": "/tasks/%s", "source": "/settings/sources/%s"}
	if page, ok := pages[kind]; ok && !strings.Contains(name, "/") {
		link = pathOf(page, name)
	}
	switch kind {
	case "identity":
		if person != "" {
			return person, link
		}
		return "somebody", link
	case "target", "source":
		return kind + " " + name, link
	}
	if link != "" {
		return "this " + kind, link
	}
	return kind + " " + name, ""
}

// exportAudit passes on a part of the trail as a file.
func exportAudit(v *Visit) (any, error) {
	format := "csv"
	if v.Query("format") == "jsonl" {
		format = "jsonl"
	}
	return download{path: Query("/audit/export", "format", format, "since", v.Query("since"), "until", v.Query("until"), "identity", v.Query("identity")),
		name: "audit-" + v.console.Now().UTC().Format("20060102T150405Z") + "." + format}, nil
}

// verifyView is how the check of the audit trail ended.
type verifyView struct {
	admin.AuditAnswer
	Kept int // checkpoints that were given
	More int // faults beyond those that are shown
}

// shownFaults is how many faults of the trail a page lists.
const shownFaults = 50

func verifyAudit(v *Visit) (Done, error) {
	in := admin.AuditRequest{PublicKeys: strings.Fields(v.Form.Get("keys"))}
	kept := json.NewDecoder(strings.NewReader(v.Form.Get("checkpoints")))
	for kept.More() {
		var c store.Checkpoint
		if err := kept.Decode(&c); err != nil || c.Signed == "" {
			return Done{}, model.Fail(model.Invalid, "The checkpoints cannot be read. Paste them as they were when you kept them, one after another; nothing was checked.", err)
		}
		in.Checkpoints = append(in.Checkpoints, c)
	}
	out := verifyView{Kept: len(in.Checkpoints)}
	if err := v.Post(in, &out.AuditAnswer, "/audit/verify"); err != nil {
		return Done{}, err
	}
	if len(out.Faults) > shownFaults {
		out.More, out.Faults = len(out.Faults)-shownFaults, out.Faults[:shownFaults]
	}
	return Done{Sheet: "verify", Data: out}, nil
}
