package console

import (
	"fmt"

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
	Differs []fanout.ProbeFinding // from what the generic profile says
	Same    []fanout.ProbeFinding
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
		if f.Differs {
			out.Differs = append(out.Differs, f)
		} else {
			out.Same = append(out.Same, f)
		}
	}
	return Done{Sheet: "probe", Data: out}, nil
}
