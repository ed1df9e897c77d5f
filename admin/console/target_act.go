package console

import (
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
)

// atTarget is an action that the API carries out at a target.
func atTarget(what, said string) func(*Visit) (Done, error) {
	return func(v *Visit) (Done, error) {
		name := v.Var("target")
		if err := v.Post(nil, nil, "/targets/%s/"+what, name); err != nil {
			return Done{}, err
		}
		return Done{To: pathOf("/targets/%s", name), Said: fmt.Sprintf(said, name)}, nil
	}
}

// releaseHeld releases exactly the plan that was looked at. A plan that takes access
// away needs the target's name, typed.
func releaseHeld(v *Visit) (Done, error) {
	name := v.Var("target")
	if v.Form.Get("type") != "" && v.Form.Get("sure") != name {
		return Done{}, model.Fail(model.Invalid, fmt.Sprintf("Type the name of the application, %s, to release this plan.", name), nil)
	}
	var out admin.ReleaseAnswer
	if err := v.Post(admin.ReleaseRequest{Digest: v.Form.Get("digest")}, &out, "/targets/%s/release", name); err != nil {
		return Done{}, err
	}
	text := fmt.Sprintf("Released: %s of %s. They are carried out now.", plural(out.Changes, "change"), plural(out.Accounts, "account"))
	if out.Changes == 0 {
		text = "Released: work at " + name + " goes on."
	}
	return Done{To: pathOf("/targets/%s", name), Said: text}, nil
}

// probeView is the page of a probe: before it, and what it learnt.
type probeView struct {
	Target  string
	Profile string
	Writes  bool // the target may be written to by a probe
	Operate bool
	Report  *fanout.ProbeReport
	Differs []probeLine // from what the generic profile says
	Same    []probeLine
}

// probeLine is one thing that a probe learnt.
type probeLine struct {
	fanout.ProbeFinding
	Words string // the value
}

func showProbe(v *Visit) (any, error) {
	out := probeView{Target: v.Var("target"), Operate: v.Caller.May("operate") == nil}
	var t admin.TargetView
	if err := v.Get(&t, "/targets/%s?changes=false", out.Target); err != nil {
		return nil, err
	}
	if t.Profile == "manual" {
		return nil, model.Fail(model.NotFound, t.Name+" is looked after by hand: there is nothing to probe.", nil)
	}
	out.Profile, out.Writes = t.Profile, t.Mode != model.ModeObserve
	return out, nil
}

func doProbe(v *Visit) (Done, error) {
	data, err := showProbe(v)
	if err != nil {
		return Done{}, err
	}
	out, _ := data.(probeView)
	var report fanout.ProbeReport
	if err := v.Post(admin.ProbeRequest{ReadOnly: v.Form.Get("write") == ""}, &report, "/targets/%s/probe", out.Target); err != nil {
		return Done{}, err
	}
	out.Report = &report
	for _, f := range report.Findings {
		if line := (probeLine{f, valueWords(f.Value)}); f.Differs {
			out.Differs = append(out.Differs, line)
		} else {
			out.Same = append(out.Same, line)
		}
	}
	return Done{Sheet: "probe", Data: out}, nil
}

// valueWords is a value of a profile for people.
func valueWords(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []any:
		texts := make([]string, len(v))
		for i, one := range v {
			texts[i] = fmt.Sprint(one)
		}
		return strings.Join(texts, ", ")
	}
	return shorten(fmt.Sprint(v), 200)
}
