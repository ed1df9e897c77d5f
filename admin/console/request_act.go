package console

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

func askRequest(v *Visit) (Done, error) {
	in := admin.RequestAsk{Role: v.Form.Get("role"), For: strings.TrimSpace(v.Form.Get("for")), Reason: strings.TrimSpace(v.Form.Get("reason")),
		Until: strings.TrimSpace(v.Form.Get("until")), Emergency: v.Form.Get("emergency") != ""}
	var out hub.RequestView
	if err := v.Post(in, &out, "/requests"); err != nil {
		return Done{}, err
	}
	said := "Asked for. " + whereIs(out)
	if out.State == model.RequestApproved {
		said = "Granted: the access is on its way."
	}
	return Done{To: "/requests/" + url.PathEscape(out.ID), Said: said}, nil
}

// answerOf is what somebody says to a request, with the version that they looked at.
func answerOf(v *Visit) admin.RequestAnswer {
	version, _ := strconv.ParseInt(v.Form.Get("version"), 10, 64)
	return admin.RequestAnswer{Reason: strings.TrimSpace(v.Form.Get("reason")), Version: version}
}

func approveRequest(v *Visit) (Done, error) {
	var out hub.RequestView
	if err := v.Post(answerOf(v), &out, "/requests/%s/approve", v.Var("request")); err != nil {
		return Done{}, err
	}
	if out.State == model.RequestApproved {
		return Done{Said: "Approved: " + out.For + " gets " + out.Role + "."}, nil
	}
	return Done{Said: "Your yes is noted. Next: " + whereIs(out) + "."}, nil
}

func denyRequest(v *Visit) (Done, error) {
	in := answerOf(v)
	if in.Reason == "" {
		return Done{}, model.Fail(model.Invalid, "Say why not: who asked is told.", nil)
	}
	var out hub.RequestView
	err := v.Post(in, &out, "/requests/%s/deny", v.Var("request"))
	return Done{Said: "Denied: " + out.For + " does not get " + out.Role + "."}, err
}

func withdrawRequest(v *Visit) (Done, error) {
	err := v.Post(answerOf(v), nil, "/requests/%s/withdraw", v.Var("request"))
	return Done{Said: "Taken back."}, err
}

func revokeRequest(v *Visit) (Done, error) {
	err := v.Post(answerOf(v), nil, "/requests/%s/revoke", v.Var("request"))
	return Done{Said: "Revoked. The access is being taken away."}, err
}

func addDeputy(v *Visit) (Done, error) {
	in := admin.DeputyAsk{Person: strings.TrimSpace(v.Form.Get("person")), Deputy: strings.TrimSpace(v.Form.Get("deputy")),
		From: strings.TrimSpace(v.Form.Get("from")), Until: strings.TrimSpace(v.Form.Get("until"))}
	err := v.Post(in, nil, "/deputies")
	return Done{Said: in.Deputy + " answers from now on, too."}, err
}

func endDeputy(v *Visit) (Done, error) {
	err := v.Post(struct{}{}, nil, "/deputies/%s/end", v.Var("deputy"))
	return Done{Said: "They answer no longer."}, err
}
