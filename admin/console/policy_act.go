package console

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// planView shows what a configuration would change, before it is put in force.
type planView struct {
	admin.PlanAnswer
	Text    string // the configuration
	May     bool   // put it in force
	Targets []planTarget
}

// planTarget counts what would be done at one target.
type planTarget struct {
	Target string
	Verbs  map[string]int
	Some   []model.Change // the first of them
	More   int
}

// changesShown is how many changes of a target a page shows.
const changesShown = 50

// configOf is the configuration that a form sends, typed or as a file.
func configOf(v *Visit) (string, error) {
	if v.request.MultipartForm != nil {
		if files := v.request.MultipartForm.File["file"]; len(files) > 0 && files[0].Size > 0 {
			f, err := files[0].Open()
			if err != nil {
				return "", err
			}
			defer f.Close()
			text, err := io.ReadAll(f)
			return string(text), err
		}
	}
	text := strings.ReplaceAll(v.Form.Get("config"), "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		return "", model.Fail(model.Invalid, "Paste the text of a configuration, or choose its file.", nil)
	}
	return text, nil
}

func planChange(v *Visit) (Done, error) {
	text, err := configOf(v)
	if err != nil {
		return Done{}, err
	}
	out := planView{Text: text, May: v.Caller.May("administer") == nil}
	if err := v.Post(admin.PlanRequest{Config: text, Name: "configuration"}, &out.PlanAnswer, "/plan"); err != nil {
		return Done{}, err
	}
	for _, p := range out.Plans {
		t := planTarget{Target: p.Target, Verbs: map[string]int{}, Some: p.Changes[:min(len(p.Changes), changesShown)], More: max(0, len(p.Changes)-changesShown)}
		for _, c := range p.Changes {
			t.Verbs[string(c.Verb)]++
		}
		out.Targets = append(out.Targets, t)
	}
	return Done{Sheet: "plan", Data: out}, nil
}

func applyChange(v *Visit) (Done, error) {
	base, err := strconv.ParseInt(v.Form.Get("base"), 10, 64)
	if err != nil {
		return Done{}, model.Fail(model.Invalid, "Look at the plan first: it says what would change.", err)
	}
	var out admin.ApplyAnswer
	in := admin.ApplyRequest{Config: strings.ReplaceAll(v.Form.Get("config"), "\r\n", "\n"), Name: "configuration", Base: base}
	if err := v.Do(http.MethodPost, in, &out, "/config"); err != nil {
		return Done{}, err
	}
	return Done{To: "/policy", Said: strings.Join(append([]string{fmt.Sprintf("Version %d is in force. Everybody is being looked at under it.", out.Version)}, out.Warnings...), "\n")}, nil
}

func rollBack(v *Visit) (Done, error) {
	version, err := strconv.ParseInt(v.Form.Get("version"), 10, 64)
	if err != nil {
		return Done{}, model.Fail(model.Invalid, "Choose the version to go back to.", err)
	}
	base, _ := strconv.ParseInt(v.Form.Get("base"), 10, 64)
	var out admin.RollBackAnswer
	if err := v.Post(admin.RollBackRequest{Version: version, Base: base}, &out, "/config/rollback"); err != nil {
		return Done{}, err
	}
	return Done{To: "/policy", Said: fmt.Sprintf("The text of version %d is in force again, as version %d.", version, out.Version)}, nil
}

func addException(v *Visit) (Done, error) {
	var roles []string
	for r := range strings.SplitSeq(v.Form.Get("roles"), ",") {
		if r = strings.TrimSpace(r); r != "" {
			roles = append(roles, r)
		}
	}
	in := admin.ExceptionRequest{For: strings.TrimSpace(v.Form.Get("for")), Roles: roles, Owner: strings.TrimSpace(v.Form.Get("owner")),
		Reason: strings.TrimSpace(v.Form.Get("reason")), Until: strings.TrimSpace(v.Form.Get("until"))}
	if err := v.Post(in, nil, "/exceptions"); err != nil {
		return Done{}, err
	}
	return Done{To: "/conflicts", Said: in.For + " may hold " + strings.Join(roles, " and ") + " together until " + in.Until + "."}, nil
}

func revokeException(v *Visit) (Done, error) {
	err := v.Post(admin.Revocation{Reason: v.Form.Get("reason")}, nil, "/exceptions/%s/revoke", v.Var("exception"))
	return Done{To: "/conflicts", Said: "The exception has ended."}, err
}
