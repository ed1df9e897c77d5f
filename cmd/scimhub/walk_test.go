package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestWalkOperator: an application fails and is put right; more than the guard lets through
// is held, looked at and released, exactly that.
func TestWalkOperator(t *testing.T) {
	eachWalk(t, 8, func(t *testing.T, w *walked) {
		b := newWalker(t, w.base, "operator-"+dialectOf(t))
		b.signIn(walkOperator)
		b.sees("Nothing needs you")
		b.shot("well")
		w.apps["git"].faults(t, "401:100%")
		w.join("new", "New Person", "Engineering", w.ids["mia"])
		b.open("/targets/git")
		b.sees("credential", "What to do")
		b.shot("failing")
		b.open("/")
		b.sees("git")
		w.apps["git"].faults(t, "")
		b.open("/targets/git")
		b.press("Sync now")
		b.sees("Nothing is wrong here") // without a reload: the page is told
		b.open("/people?q=new")
		b.press("New Person")
		b.sees("engineers", "in sync")
		b.shot("person")

		for i := range 6 { // who leaves in engineering loses nothing at chat before somebody looks
			name := fmt.Sprintf("p%03d", i)
			if err := w.hr.change(t.Context(), http.MethodDelete, "/Users/"+w.ids[name], nil); err != nil {
				t.Fatal(err)
			}
		}
		b.open("/leavers")
		b.sees("p005")
		b.shot("leavers")
		for _, page := range []string{"/targets", "/groups", "/drift", "/findings", "/people", "/roles", "/roles/deployer", "/conflicts", "/policy", "/cases"} {
			b.open(page)
			b.seesNot("Something went wrong")
		}
		b.open("/targets")
		b.shot("targets")
	})
}

// TestWalkApproval: somebody asks, the manager says yes to one and no to another.
func TestWalkApproval(t *testing.T) {
	eachWalk(t, 2, func(t *testing.T, w *walked) {
		ada := newWalker(t, w.base, "employee-"+dialectOf(t))
		ada.signIn(walkPerson)
		ada.seesNot("Targets")
		ask := func(reason string) {
			ada.open("/requests")
			if !strings.Contains(ada.text(), "Find") {
				ada.press("Ask for access")
			}
			ada.press("deployer")
			ada.fill("Why it is needed", reason)
			ada.press("Ask")
			ada.sees("waits for", "mia")
		}
		ask("release 4.2")
		ada.shot("asked")
		mia := newWalker(t, w.base, "manager-"+dialectOf(t))
		mia.signIn(walkManager)
		mia.sees("asks for deployer")
		mia.open("/approvals")
		mia.sees("Ada Lovelace", "release 4.2", "high risk", "group deployers")
		mia.shot("approvals")
		mia.pressIn("Ada Lovelace", "Approve")
		mia.sees("Approved", "Nothing waits")
		ada.open("/requests")
		ada.sees("approved")
		await(t, 30*time.Second, "ada is a deployer at git", func() error {
			for name, members := range w.members("git") {
				if name == "deployers" && members == 1 {
					return nil
				}
			}
			return fmt.Errorf("%v", w.members("git"))
		})
		ada.open("/requests")
		ada.press("deployer")
		ada.press("Take the access away")
		ada.fill("Why", "the release is out")
		ada.press("Revoke")
		ada.sees("revoked")
		mia.open("/people")
		mia.sees("may not")
	})
}

// TestWalkAuditor: who could deploy on a day, and why.
func TestWalkAuditor(t *testing.T) {
	eachWalk(t, 3, func(t *testing.T, w *walked) {
		w.wantExit(0, "request", "create", "deployer", "--for", "ada", "--reason", "release 4.2")
		out := w.wantExit(0, "request", "list", "-o", "json")
		var list struct {
			Items []struct{ ID string }
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Items) != 1 {
			t.Fatalf("%v %s", err, out)
		}
		w.wantExit(0, "request", "approve", list.Items[0].ID, "--reason", "on call")
		w.rest(time.Minute)
		b := newWalker(t, w.base, "auditor-"+dialectOf(t))
		b.signIn(walkAuditor)
		b.open("/evidence?kind=access&target=git&group=deployers")
		b.sees("ada", "deployer", "release 4.2")
		b.shot("evidence")
		b.open("/evidence?kind=person&person=" + "ada")
		b.sees("ada")
		b.open("/evidence?kind=leavers")
		b.open("/evidence?kind=conflicts")
		b.open("/audit")
		b.sees("request")
		b.shot("audit")
		b.open("/people?q=ada")
		b.press("Ada Lovelace")
		b.sees("deployer", "approved")
		b.shot("person")
		b.seesNot("Bring this person in line")
	})
}

// TestWalkReview: a campaign of two hundred items is finished page by page, two of them
// taken away, and the report tells it.
func TestWalkReview(t *testing.T) {
	items := sized(200, 200, 60)
	eachWalk(t, items-1, func(t *testing.T, w *walked) {
		if err := w.hr.change(t.Context(), http.MethodPut, "/Users/"+w.ids["mia"], w.person("mia", "Mia Manager", "Management", "", true)); err != nil {
			t.Fatal(err)
		}
		w.rest(time.Minute)
		w.wantExit(0, "review", "start", "--role", "engineer", "--reviewer", "mia", "--due", "14d")
		b := newWalker(t, w.base, "reviewer-"+dialectOf(t))
		b.signIn(walkManager)
		b.open("/reviews")
		b.press("role engineer")
		b.sees(fmt.Sprintf("0 of %d items", items))
		b.shot("campaign")
		for _, name := range []string{"p000", "p001"} {
			b.pressIn(name, "Revoke")
			b.sees("Say why")
			b.fillIn(name, "Reason", "left the project")
			b.pressIn(name, "Revoke")
			b.sees("You decided just now about", name)
		}
		for done := 2; done < items; done += 25 {
			b.fill("Choose all of this page", "")
			b.press("Keep the chosen")
			b.sees(fmt.Sprintf("%d of %d items", min(done+25, items), items))
		}
		b.sees("you are done")
		b.shot("done")

		ops := newWalker(t, w.base, "closes-"+dialectOf(t))
		ops.signIn(walkOperator)
		ops.open("/reviews")
		ops.press("role engineer")
		ops.press("Close it now")
		ops.sees("Report", fmt.Sprintf("%d decisions", items)) // so many in a few seconds are told
		await(t, time.Minute, "two people, and who moved, are off at git", func() error {
			if n := w.target("git").Accounts["disabled"]; n != 3 {
				return fmt.Errorf("there are %d", n)
			}
			return nil
		})
		await(t, time.Minute, "the report says that it is verified", func() error {
			ops.open(ops.address())
			if text := ops.text(); !strings.Contains(text, "verified") {
				return fmt.Errorf("it reads: %.800s", text)
			}
			return nil
		})
		ops.shot("report")
	})
}

// TestWalkNewcomer: the first start prints a link; whoever opens it is in, sees the plan
// of a change and puts it in force.
func TestWalkNewcomer(t *testing.T) {
	eachWalk(t, 0, func(t *testing.T, w *walked) {
		out := w.wantExit(0, "sign-in")
		b := newWalker(t, w.base, "newcomer-"+dialectOf(t))
		for word := range strings.FieldsSeq(out) {
			if strings.Contains(word, "/sign-in?token=") {
				b.open(word)
				b.press("Sign in")
			}
		}
		b.sees("Overview")
		b.shot("overview")
		b.open("/policy/change")
		b.press("Show the plan")
		b.sees("Nothing: it is the configuration in force")
		crm := startApplication(t, "crm", "generic", appToken)
		b.open("/policy/change")
		text, err := value(b, chromedp.Evaluate[string](`document.getElementById("config").value`))
		if err != nil {
			t.Fatal(err)
		}
		text = strings.Replace(text, "grants: [{target: chat}]", "grants: [{target: chat}, {target: crm}]", 1)
		b.fill("or text", text+"  crm: {url: "+crm.base+"/scim/v2, auth: {bearer: \"${env:E2E_APP_TOKEN}\"}}\n")
		b.press("Show the plan")
		b.sees("crm", "accounts gain something", "2 × create")
		b.shot("plan")
		b.press("Put it in force")
		b.sees("Version 2 is in force")
		b.open("/targets/crm")
		b.sees("2 in sync", "Nothing is wrong here")
		b.open("/settings")
		b.sees("hr")
		b.shot("settings")
		b.press("Sign out")
		b.sees("You are signed out")
		b.open("/people")
		b.sees("Sign in")
	})
}

// TestWalkDemo: what the demo prints leads to its console.
func TestWalkDemo(t *testing.T) {
	if os.Getenv("SCIMHUB_BROWSER") == "" {
		t.Skip("needs a browser: set SCIMHUB_BROWSER to chromium")
	}
	p := launch(t, "demo", []string{"SCIMHUB_RUNTIME_DIR=" + t.TempDir()}, "demo", "--for", "90s", "--listen", "127.0.0.1:0")
	link := ""
	await(t, time.Minute, "the demo is told to its end", func() error {
		out := p.out.String()
		for word := range strings.FieldsSeq(out) {
			if strings.Contains(word, "/sign-in?token=") {
				link = word
			}
		}
		if link == "" || !strings.Contains(out, "released") {
			return fmt.Errorf("it has not come so far: %.2000s", out)
		}
		return nil
	})
	b := newWalker(t, link[:strings.Index(link, "/sign-in")], "demo")
	b.open(link)
	b.press("Sign in")
	b.sees("chat", "git", "cloud", "crm")
	b.shot("overview")
	b.open("/people")
	b.shot("people")
	b.open("/leavers")
	b.shot("leavers")
	b.open("/targets/crm")
	b.shot("target")
}
