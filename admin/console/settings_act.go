package console

import (
	"net/url"
	"strings"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// releaseLeavers lets people go whom the guard of a source holds: those who are ticked,
// or all, once the name of the source was typed.
func releaseLeavers(v *Visit) (Done, error) {
	source := v.Var("source")
	in := admin.ReleaseLeavers{}
	if v.Form.Get("all") != "" {
		if v.Form.Get("name") != source {
			return Done{}, model.Fail(model.Invalid, "To let all of them go type the name of the source, "+source+", exactly. Nobody was let go.", nil)
		}
		in.Digest = v.Form.Get("digest")
	} else if in.People = v.Form["people"]; len(in.People) == 0 {
		return Done{}, model.Fail(model.Invalid, "Tick whom to let go. Nobody was let go.", nil)
	}
	var out hub.Released
	if err := v.Post(in, &out, "/sources/%s/release", source); err != nil {
		return Done{}, err
	}
	return Done{To: sourcePath(source), Said: plural(len(out.People), "person") + " let go. Their access is being taken away."}, nil
}

// secretView is what is shown once.
type secretView struct {
	Token *admin.TokenView
	Link  *admin.SignInLinkView
	For   string
	Hint  string // what to do with it
}

func createToken(v *Visit) (Done, error) {
	text := func(name string) string { return strings.TrimSpace(v.Form.Get(name)) }
	in := admin.TokenRequest{Name: text("name"), Expires: text("expires")}
	switch v.Form.Get("kind") {
	case "source":
		in.Source = text("source")
	case "target":
		in.Target, in.May = text("target"), v.Form["may"]
	case "api":
		in.Role, in.Scope, in.Person = text("role"), v.Form["scope"], text("person")
		in.Targets = strings.FieldsFunc(v.Form.Get("targets"), func(r rune) bool { return r == ',' || r == ' ' })
	}
	if in.Source+in.Target+in.Role == "" {
		return Done{}, model.Fail(model.Invalid, "Say what the token is for.", nil)
	}
	var out admin.TokenView
	err := v.Post(in, &out, "/tokens")
	return shownToken(v, out, err)
}

func rotateToken(v *Visit) (Done, error) {
	overlap := strings.TrimSpace(v.Form.Get("overlap"))
	in := admin.TokenRequest{Expires: strings.TrimSpace(v.Form.Get("expires"))}
	if overlap != "" {
		in.Overlap = &overlap
	}
	var out admin.TokenView
	err := v.Post(in, &out, "/tokens/%s/rotate", v.Var("token"))
	return shownToken(v, out, err)
}

func shownToken(v *Visit, t admin.TokenView, err error) (Done, error) {
	if err != nil {
		return Done{}, err
	}
	out := secretView{Token: &t, For: tokenLineOf(t, v.console.Now()).For}
	switch {
	case t.Source != "":
		out.Hint = "Paste it at the provider now; how, is on the page of the source."
	case t.Target != "":
		out.Hint = "Give it to the program that goes through the hub to this target."
	default:
		out.Hint = "Programs send it as Authorization: Bearer …; the command line reads it from SCIMHUB_TOKEN."
	}
	return Done{Sheet: "secret", Data: out}, nil
}

func revokeToken(v *Visit) (Done, error) {
	var out admin.TokenView
	err := v.Post(nil, &out, "/tokens/%s/revoke", v.Var("token"))
	return Done{Said: "The token " + out.Name + " lets nobody in any more."}, err
}

func endSession(v *Visit) (Done, error) {
	var out admin.SessionView
	if err := v.Post(admin.SessionEnd{Reason: strings.TrimSpace(v.Form.Get("reason"))}, &out, "/sessions/%s/end", v.Var("session")); err != nil {
		return Done{}, err
	}
	if out.Current || v.Caller.Session == out.ID && out.ID != "" {
		return Done{To: "/"}, nil
	}
	return Done{Said: "The session of " + out.Name + " has ended."}, nil
}

func createLink(v *Visit) (Done, error) {
	var out admin.SignInLinkView
	if err := v.Post(admin.SignInLinkRequest{Role: v.Form.Get("role")}, &out, "/sign-in-links"); err != nil {
		return Done{}, err
	}
	return Done{Sheet: "secret", Data: secretView{Link: &out, For: out.Role,
		Hint: "It lets in whoever opens it first, once, until " + out.Expires.UTC().Format(time.TimeOnly) + " UTC. Send it to nobody else."}}, nil
}

func testReceiver(v *Visit) (Done, error) {
	name := v.Var("receiver")
	err := v.Post(admin.NotifyTest{Receiver: name}, nil, "/notifications/test")
	return Done{To: "/settings/deliveries?receiver=" + url.QueryEscape(name), Said: "A test is on its way to " + name + "; the list says how it goes."}, err
}

func retryDelivery(v *Visit) (Done, error) {
	var out admin.DeliveryView
	err := v.Post(nil, &out, "/notifications/deliveries/%s/retry", v.Var("delivery"))
	return Done{Said: "It is tried again at once."}, err
}
