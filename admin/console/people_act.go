package console

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// personPath is the page of a person.
func personPath(person string) string { return "/people/" + url.PathEscape(person) }

// runView shows what a run did, step by step.
type runView struct {
	admin.RunAnswer
	Person string
}

func runPerson(v *Visit) (Done, error) {
	ask := admin.RunRequest{DryRun: v.Form.Get("really") == "", Wait: "30s", Target: v.Form.Get("target")}
	out := runView{Person: v.Var("person")}
	err := v.Post(ask, &out.RunAnswer, "/identities/%s/run", v.Var("person"))
	return Done{Sheet: "run", Data: out}, err
}

// whatIfView shows what would follow.
type whatIfView struct {
	admin.WhatIfAnswer
	Person  string
	Nothing bool
}

func whatIf(v *Visit) (Done, error) {
	ask := admin.WhatIfAsk{At: strings.TrimSpace(v.Form.Get("when"))}
	if path := strings.TrimSpace(v.Form.Get("path")); path != "" {
		ask.Facts = map[string]any{path: factOf(v.Form.Get("value"))}
	}
	if ask.At == "" && ask.Facts == nil {
		return Done{}, model.Fail(model.Invalid, "say which fact would be otherwise, or when", nil)
	}
	out := whatIfView{Person: v.Var("person")}
	err := v.Post(ask, &out.WhatIfAnswer, "/identities/%s/what-if", v.Var("person"))
	a := out.WhatIfAnswer
	out.Nothing = a.Before == a.After && len(a.Gained)+len(a.Lost)+len(a.Targets)+len(a.Findings)+len(a.Asks) == 0
	return Done{Sheet: "whatif", Data: out}, err
}

// factOf is a value as somebody types it: true, a number, a list; else it is text. Nothing
// at all says that nobody knows the fact any more.
func factOf(text string) any {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	var value any
	if text == "true" || text == "false" || strings.HasPrefix(text, "[") || strings.HasPrefix(text, `"`) {
		if json.Unmarshal([]byte(text), &value) == nil {
			return value
		}
	}
	return text
}

func linkPerson(v *Visit) (Done, error) {
	in := admin.LinkRequest{To: strings.TrimSpace(v.Form.Get("to")), New: v.Form.Get("new") != "", Force: v.Form.Get("force") != ""}
	var out hub.Linked
	if err := v.Post(in, &out, "/identities/%s/link", v.Var("person")); err != nil {
		return Done{}, err
	}
	if in.New {
		return Done{Said: "They are somebody of their own from now on."}, nil
	}
	return Done{To: personPath(in.To), Said: "Both are one person from now on. Their access is being worked out anew."}, nil
}

func unlinkPerson(v *Visit) (Done, error) {
	in := admin.UnlinkRequest{Source: v.Form.Get("source"), Resource: v.Form.Get("resource")}
	if err := v.Post(in, nil, "/identities/%s/unlink", v.Var("person")); err != nil {
		return Done{}, err
	}
	return Done{Said: "What " + in.Source + " says is another person's from now on."}, nil
}

// erasePerson erases somebody, once their name was typed.
func erasePerson(v *Visit) (Done, error) {
	var who admin.IdentityView
	if err := v.Get(&who, "/identities/%s", v.Var("person")); err != nil {
		return Done{}, err
	}
	if v.Form.Get("name") != who.UserName {
		return Done{}, model.Fail(model.Invalid, "To erase somebody type their user name, "+who.UserName+", exactly. Nothing was erased.", nil)
	}
	if err := v.Post(admin.EraseRequest{Force: v.Form.Get("force") != ""}, nil, "/identities/%s/erase", v.Var("person")); err != nil {
		return Done{}, err
	}
	return Done{To: "/people", Said: "Their personal data is being erased. The audit trail keeps that it was done."}, nil
}
