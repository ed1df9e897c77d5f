package main_test

import (
	"bytes"
	"context"
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
	"time"
)

const scriptPatience = 30 * time.Second

// scriptWords are the commands of scripts. A command gives a complaint, or "" if
// what it asks for is so; ! before it turns that round where it makes sense.
//
//	app NAME [PROFILE]          start an application; $NAME in capitals is its address
//	fault NAME FAULTS           replace its faults
//	fill FILE                   replace $NAME in a file by the script's values
//	serve [FLAGS]               start the hub and wait until it is ready
//	stop                        SIGTERM to the hub, wants exit code 0
//	exit CODE scimhub ARGS      run a command, wants that code (also: scimhub ARGS, for 0)
//	stdin FILE                  standard input of the next command
//	[!] stdout|stderr|log RE    what the last command wrote, or the hub so far
//	await CODE RE scimhub ARGS  run the command until its code and output are so
//	capture NAME RE             $NAME becomes the group of RE in the last output
//	scim CODE METHOD PATH [FILE]            as the HR system; the answer is the output, $ID its id
//	byhand APP CODE METHOD PATH [FILE]      the same at an application itself
//	holds APP RE, [!] awaitholds APP RE     its accounts, one a line: userName active|inactive [groups]
//	[!] exists FILE
//	edit FILE OLD NEW
func scriptWords() map[string]func(s *script, negative bool, args []string) string {
	return map[string]func(s *script, negative bool, args []string) string{
		"app": (*script).wordApp, "fault": (*script).wordFault, "fill": (*script).wordFill, "serve": (*script).wordServe,
		"stop": (*script).wordStop, "exit": (*script).wordExit, "scimhub": (*script).wordRun, "stdin": (*script).wordStdin,
		"stdout": (*script).wordStdout, "stderr": (*script).wordStderr, "log": (*script).wordLog, "await": (*script).wordAwait,
		"capture": (*script).wordCapture, "scim": (*script).wordSCIM, "byhand": (*script).wordByHand,
		"holds": (*script).wordHolds, "awaitholds": (*script).wordAwaitHolds, "exists": (*script).wordExists, "edit": (*script).wordEdit,
	}
}

func (s *script) wordApp(_ bool, args []string) string {
	profile := "generic"
	if len(args) > 1 {
		profile = args[1]
	}
	a := startApplication(s.t, args[0], profile, scriptSecrets["APP_TOKEN"])
	s.apps[args[0]] = a
	s.vars[strings.ToUpper(args[0])] = a.base
	return ""
}

func (s *script) wordFault(_ bool, args []string) string {
	s.apps[args[0]].faults(s.t, args[1])
	return ""
}

func (s *script) wordFill(_ bool, args []string) string {
	for _, name := range args {
		s.write(name, s.expand(s.read(name)))
	}
	return ""
}

func (s *script) wordServe(_ bool, args []string) string {
	args = append([]string{"serve", "--config", filepath.Join(s.dir, "hub.yaml")}, args...)
	if s.hub != nil {
		s.written.WriteString(s.hub.err.String() + s.hub.out.String())
	}
	s.hub = launch(s.t, "hub", s.env(), args...)
	err := awaitErr(s.t.Context(), scriptPatience, func() error {
		if s.hub.ended() {
			s.fatalf("the hub ended")
		}
		code, _, err := s.request(http.MethodGet, s.vars["HUB"]+"/readyz", "", nil)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("readyz: %d", code)
		}
		return err
	})
	return complain(err)
}

func complain(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

func (s *script) wordStop(bool, []string) string {
	s.hub.stop(s.t)
	return ""
}

func (s *script) wordRun(_ bool, args []string) string {
	return s.wordExit(false, append([]string{"0", "scimhub"}, args...))
}

func (s *script) wordExit(_ bool, args []string) string {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err.Error()
	}
	if code := s.scimhub(args[2:]); code != want {
		return fmt.Sprintf("exit code %d, want %d", code, want)
	}
	return ""
}

// scimhub runs the program in the script's folder.
func (s *script) scimhub(args []string) int {
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, programPath(s.t), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, append(os.Environ(), s.env()...), &out, &errOut
	cmd.Stdin = strings.NewReader(s.vars["STDIN"])
	delete(s.vars, "STDIN")
	err := cmd.Run()
	s.out, s.err = out.String(), errOut.String()
	s.written.WriteString(s.out + s.err)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		s.fatalf("%v", err)
	}
	return 0
}

func (s *script) wordStdin(_ bool, args []string) string {
	s.vars["STDIN"] = s.read(args[0])
	return ""
}

func matches(negative bool, re, text, what string) string {
	hit, err := regexp.MatchString("(?m)"+re, text)
	switch {
	case err != nil:
		return err.Error()
	case hit == negative && negative:
		return what + " matches " + re
	case hit == negative:
		return what + " does not match " + re
	}
	return ""
}

func (s *script) wordStdout(negative bool, args []string) string {
	return matches(negative, args[0], s.out, "stdout")
}

func (s *script) wordStderr(negative bool, args []string) string {
	return matches(negative, args[0], s.err, "stderr")
}

func (s *script) wordLog(negative bool, args []string) string {
	return matches(negative, args[0], s.hub.err.String(), "the log")
}

func (s *script) wordAwait(_ bool, args []string) string {
	err := awaitErr(s.t.Context(), scriptPatience, func() error {
		complaint := s.wordExit(false, append([]string{args[0]}, args[2:]...))
		if complaint == "" {
			complaint = matches(false, args[1], s.out, "stdout")
		}
		if complaint != "" {
			return errors.New(complaint)
		}
		return nil
	})
	return complain(err)
}

func (s *script) wordCapture(_ bool, args []string) string {
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(s.out)
	if len(m) < 2 {
		return "stdout does not match " + args[1]
	}
	s.vars[args[0]] = m[1]
	return ""
}

func (s *script) wordSCIM(_ bool, args []string) string {
	return s.exchange(s.vars["HUB"], scriptSecrets["HR_TOKEN"], args)
}

func (s *script) wordByHand(_ bool, args []string) string {
	return s.exchange(s.apps[args[0]].base, scriptSecrets["APP_TOKEN"], args[1:])
}

// exchange is one SCIM request: CODE METHOD PATH [FILE].
func (s *script) exchange(base, token string, args []string) string {
	var body []byte
	if len(args) > 3 {
		body = []byte(s.expand(s.read(args[3])))
	}
	code, answer, err := s.request(args[1], base+"/scim/v2"+args[2], token, body)
	if err != nil {
		return err.Error()
	}
	s.out, s.err = string(answer), ""
	s.written.Write(answer)
	var shown struct {
		ID        string
		Resources []struct{ ID string }
	}
	if json.Unmarshal(answer, &shown) == nil {
		if len(shown.Resources) > 0 {
			shown.ID = shown.Resources[0].ID
		}
		s.vars["ID"] = shown.ID
	}
	if strconv.Itoa(code) != args[0] {
		return fmt.Sprintf("%s %s: %d, want %s", args[1], args[2], code, args[0])
	}
	return ""
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
func (s *script) accounts(app string) (string, error) {
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
	if err := getJSON(s.t.Context(), s.apps[app].base+"/_app/state", "", &state); err != nil {
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

func (s *script) wordHolds(negative bool, args []string) string {
	var err error
	if s.out, err = s.accounts(args[0]); err != nil {
		return err.Error()
	}
	return matches(negative, args[1], s.out, args[0])
}

func (s *script) wordAwaitHolds(negative bool, args []string) string {
	return complain(awaitErr(s.t.Context(), scriptPatience, func() error {
		if complaint := s.wordHolds(negative, args); complaint != "" {
			return errors.New(complaint)
		}
		return nil
	}))
}

func (s *script) wordExists(negative bool, args []string) string {
	_, err := os.Stat(filepath.Join(s.dir, args[0]))
	if (err == nil) == negative {
		return fmt.Sprintf("%s: %v", args[0], err)
	}
	return ""
}

func (s *script) wordEdit(_ bool, args []string) string {
	text := s.read(args[0])
	if !strings.Contains(text, args[1]) {
		return args[0] + " does not contain " + args[1]
	}
	s.write(args[0], strings.ReplaceAll(text, args[1], args[2]))
	return ""
}
