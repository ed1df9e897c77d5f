package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are the commands that scripts have besides testscript's own:
//
//	app NAME [PROFILE]          start an application; $NAME in capitals is its address
//	fill FILE...                replace $NAME in files by the script's variables
//	edit FILE OLD NEW           replace text in a file
//	serve [FLAGS]               start the hub and wait until it is ready
//	sigterm                     SIGTERM to the hub, wants exit code 0
//	[!] log RE                  what the hub has written so far
//	exit CODE scimhub ARGS      as exec, wants that exit code
//	await CODE RE scimhub ARGS  run the command until its code and output are so
//	capture NAME RE             $NAME becomes the group of RE in the last output
//	scim CODE METHOD PATH [FILE]            as the HR system; the answer is the output, $ID its id
//	withtoken TOKEN CODE METHOD PATH [FILE] the same with another token
//	awaitscim RE PATH           GET as the HR system until the answer is so
//	byhand APP CODE METHOD PATH [FILE]      the same at an application itself
//	faults APP [FAULTS]                     what an application does wrong from now on
//	[!] holds APP RE, [!] awaitholds APP RE its accounts, one a line: userName active|inactive [groups]
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"app": positive(1, 2, scriptApp), "fill": positive(1, 9, scriptFill), "edit": positive(3, 3, scriptEdit),
		"serve": positive(0, 9, scriptServe), "sigterm": positive(0, 0, scriptSigterm), "log": scriptLog,
		"exit": positive(2, 99, scriptExit), "await": positive(3, 99, scriptAwait), "capture": positive(2, 2, scriptCapture),
		"scim": positive(3, 4, scriptSCIM), "awaitscim": positive(2, 2, scriptAwaitSCIM), "withtoken": positive(4, 5, scriptWithToken), "byhand": positive(4, 5, scriptByHand), "faults": positive(1, 2, scriptFaults), "holds": scriptHolds, "awaitholds": scriptAwaitHolds,
	}
}

// positive is a command that cannot be negated, with so many arguments.
func positive(least, most int, do func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("! makes no sense here")
		}
		wantArgs(ts, args, least, most)
		do(ts, args)
	}
}

func wantArgs(ts *testscript.TestScript, args []string, least, most int) {
	if len(args) < least || len(args) > most {
		ts.Fatalf("%d arguments, want %d to %d", len(args), least, most)
	}
}

func scriptApp(ts *testscript.TestScript, args []string) {
	s, profile := scriptOf(ts), "generic"
	if len(args) > 1 {
		profile = args[1]
	}
	p := s.start(ts, "app "+args[0], "app", "--listen", "127.0.0.1:0", "--profile", profile, "--token", scriptSecrets["APP_TOKEN"])
	s.ready(ts, p, func() error {
		base, err := listening(p)
		ts.Setenv(strings.ToUpper(args[0]), base)
		return err
	})
}

// scriptAppBase is the address of an application that the script started.
func scriptAppBase(ts *testscript.TestScript, name string) string {
	base := ts.Getenv(strings.ToUpper(name))
	if base == "" {
		ts.Fatalf("there is no application %q", name)
	}
	return base
}

func scriptServe(ts *testscript.TestScript, args []string) {
	s := scriptOf(ts)
	if s.hub != nil && !s.hub.ended() {
		ts.Fatalf("a hub runs already")
	}
	s.hub = s.start(ts, "hub", append([]string{"serve", "--config", filepath.Join(s.dir, "hub.yaml")}, args...)...)
	s.ready(ts, s.hub, func() error { return s.hubReady(ts.Getenv("HUB")) })
}

// scriptFaults replaces the faults of an application.
func scriptFaults(ts *testscript.TestScript, args []string) {
	body, err := json.Marshal(map[string]string{"faults": strings.Join(args[1:], ",")})
	ts.Check(err)
	code, answer, err := scriptOf(ts).request(http.MethodPost, scriptAppBase(ts, args[0])+"/_app/faults", "", body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%d %s", code, answer)
	}
	ts.Check(err)
}

// scriptHub is the hub that the script started last.
func scriptHub(ts *testscript.TestScript) *process {
	hub := scriptOf(ts).hub
	if hub == nil {
		ts.Fatalf("no hub was started")
	}
	return hub
}

func scriptSigterm(ts *testscript.TestScript, _ []string) { scriptHub(ts).stop(scriptOf(ts).t) }

// matching says in what way a text is not as wanted.
func matching(neg bool, re, text, what string) error {
	hit, err := regexp.MatchString("(?m)"+re, text)
	switch {
	case err != nil:
		return err
	case hit && neg:
		return fmt.Errorf("%s matches %s", what, re)
	case !hit && !neg:
		return fmt.Errorf("%s does not match %s", what, re)
	}
	return nil
}

func scriptLog(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, args, 1, 1)
	look := func() error { return matching(neg, args[0], scriptHub(ts).err.String(), "the log") }
	if neg {
		ts.Check(look())
		return
	}
	ts.Check(awaitErr(scriptOf(ts).t.Context(), scriptPatience, look)) // what is written to a pipe comes later
}

// exitCode runs a command to its end.
func exitCode(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func runWanting(ts *testscript.TestScript, want string, args []string) error {
	if code := exitCode(ts, args); strconv.Itoa(code) != want {
		return fmt.Errorf("exit code %d, want %s", code, want)
	}
	return nil
}

func scriptExit(ts *testscript.TestScript, args []string) {
	ts.Check(runWanting(ts, args[0], args[1:]))
}

func scriptAwait(ts *testscript.TestScript, args []string) {
	ts.Check(awaitErr(scriptOf(ts).t.Context(), scriptPatience, func() error {
		if err := runWanting(ts, args[0], args[2:]); err != nil {
			return err
		}
		return matching(false, args[1], ts.ReadFile("stdout"), "stdout")
	}))
}

func scriptCapture(ts *testscript.TestScript, args []string) {
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("stdout does not match %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

var scriptVar = regexp.MustCompile(`\$([A-Z_]+)`)

func scriptFill(ts *testscript.TestScript, args []string) {
	for _, file := range args {
		text := scriptVar.ReplaceAllStringFunc(ts.ReadFile(file), func(v string) string {
			value := ts.Getenv(v[1:])
			if value == "" {
				ts.Fatalf("%s: there is no %s", file, v)
			}
			return value
		})
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

func scriptEdit(ts *testscript.TestScript, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

func scriptSCIM(ts *testscript.TestScript, args []string) {
	exchange(ts, ts.Getenv("HUB"), scriptSecrets["HR_TOKEN"], args)
}

func scriptAwaitSCIM(ts *testscript.TestScript, args []string) {
	s := scriptOf(ts)
	ts.Check(awaitErr(s.t.Context(), scriptPatience, func() error {
		_, answer, err := s.request(http.MethodGet, ts.Getenv("HUB")+"/scim/v2"+args[1], scriptSecrets["HR_TOKEN"], nil)
		if err != nil {
			return err
		}
		return matching(false, args[0], string(answer), "the answer")
	}))
}

func scriptByHand(ts *testscript.TestScript, args []string) {
	exchange(ts, scriptAppBase(ts, args[0]), scriptSecrets["APP_TOKEN"], args[1:])
}

// exchange is one SCIM request: CODE METHOD PATH [FILE].
func exchange(ts *testscript.TestScript, base, token string, args []string) {
	var body []byte
	if len(args) > 3 {
		body = []byte(ts.ReadFile(args[3]))
	}
	code, answer, err := scriptOf(ts).request(args[1], base+"/scim/v2"+args[2], token, body)
	ts.Check(err)
	_, err = ts.Stdout().Write(answer)
	ts.Check(err)
	var shown struct {
		ID        string
		Resources []struct{ ID string }
	}
	if json.Unmarshal(answer, &shown) == nil {
		if len(shown.Resources) > 0 {
			shown.ID = shown.Resources[0].ID
		}
		ts.Setenv("ID", shown.ID)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s %s: %d, want %s", args[1], args[2], code, args[0])
	}
}

func (s *script) request(method, url, token string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/scim+json")
	req.Header.Set("User-Agent", "script")
	res, err := plainHTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// accounts is what an application holds, a line for each.
func (s *script) accounts(base string) (string, error) {
	var state struct {
		Users []struct {
			ID, UserName string
			Active       bool
		}
		Groups []struct {
			DisplayName string
			Members     []struct{ Value string }
		}
	}
	if err := getJSON(s.t.Context(), base+"/_app/state", "", &state); err != nil {
		return "", err
	}
	var out []string
	for _, u := range state.Users {
		line, groups := u.UserName+" inactive", []string{}
		if u.Active {
			line = u.UserName + " active"
		}
		for _, g := range state.Groups {
			for _, m := range g.Members {
				if m.Value == u.ID {
					groups = append(groups, g.DisplayName)
				}
			}
		}
		slices.Sort(groups)
		out = append(out, strings.TrimSpace(line+" "+strings.Join(groups, ",")))
	}
	slices.Sort(out)
	return strings.Join(out, "\n") + "\n", nil
}

func scriptHolds(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, args, 2, 2)
	held, err := scriptOf(ts).accounts(scriptAppBase(ts, args[0]))
	fmt.Fprint(ts.Stdout(), held)
	ts.Check(err)
	ts.Check(matching(neg, args[1], held, args[0]))
}

func scriptAwaitHolds(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, args, 2, 2)
	var held string
	base := scriptAppBase(ts, args[0])
	err := awaitErr(scriptOf(ts).t.Context(), scriptPatience, func() (err error) {
		if held, err = scriptOf(ts).accounts(base); err != nil {
			return err
		}
		return matching(neg, args[1], held, args[0])
	})
	fmt.Fprint(ts.Stdout(), held)
	ts.Check(err)
}
