package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model/scim"
)

// employmentURN is the extension that the stories' HR system has dates in.
const employmentURN = "urn:acme:params:scim:schemas:employment:2.0:User"

// steps are all the sentences that stories are made of.
func steps() []step {
	person := `([a-z]+)`
	var out []step
	add := func(pattern string, do func(w *storyWorld, a []string) error) {
		pattern = strings.NewReplacer("PERSON", person, "SOURCE", `([a-z]+)`, "TARGET", `([a-z]+)`).Replace(pattern)
		out = append(out, step{regexp.MustCompile("^" + pattern + "$"), do})
	}
	// What happens.
	add(`On (\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?)`, (*storyWorld).on)
	add(`SOURCE pushes PERSON(?:: (.*))?`, (*storyWorld).push)
	add(`SOURCE changes PERSON: (.*)`, (*storyWorld).change)
	add(`SOURCE renames PERSON to PERSON`, (*storyWorld).rename)
	add(`SOURCE deletes PERSON`, (*storyWorld).deletePerson)
	add(`SOURCE puts PERSON in group (.*)`, func(w *storyWorld, a []string) error { return w.member(a[0], a[1], a[2], "add") })
	add(`SOURCE takes PERSON out of group (.*)`, func(w *storyWorld, a []string) error { return w.member(a[0], a[1], a[2], "remove") })
	add(`SOURCE recreates PERSON(?:: (.*))?`, func(w *storyWorld, a []string) error {
		if err := w.deletePerson(a[:2]); err != nil {
			return err
		}
		return w.push(a)
	})
	operatorSteps(add)
	requestSteps(add)
	// What is then true.
	add(`PERSON is (prehire|active|leave|leaver|purged)`, (*storyWorld).isStage)
	add(`PERSON is nobody that the hub knows`, (*storyWorld).isUnknown)
	add(`PERSON holds (\S+) until (\d{4}-\d\d-\d\d(?: \d\d:\d\d)?)`, (*storyWorld).holdsUntil)
	add(`PERSON holds (.*)`, (*storyWorld).holds)
	add(`at TARGET PERSON has an account(?: in (.*))?`, (*storyWorld).hasAccount)
	add(`at TARGET PERSON has the account of before(?: in (.*))?`, (*storyWorld).sameAccount)
	add(`at TARGET the account of PERSON has (\S+) (.*)`, (*storyWorld).accountHas)
	add(`there are (\d+) people called PERSON`, (*storyWorld).peopleCalled)
	add(`PERSON's (\S+) is (.*) from SOURCE`, (*storyWorld).factFrom)
	add(`PERSON's (\S+) come from SOURCE`, func(w *storyWorld, a []string) error { return w.factFrom([]string{a[0], a[1], "", a[2]}) })
	add(`at TARGET PERSON's account is inactive`, (*storyWorld).isInactive)
	add(`at TARGET PERSON has no account`, (*storyWorld).hasNoAccount)
	add(`PERSON's timeline says (.*)`, (*storyWorld).timeline)
	add(`PERSON has the finding (.*)`, (*storyWorld).hasFinding)
	add(`PERSON is a case: (.*)`, (*storyWorld).isCase)
	add(`at TARGET PERSON has one account only`, (*storyWorld).oneAccount)
	add(`SOURCE has (\d+) leavers? held`, (*storyWorld).heldLeavers)
	add(`PERSON has TARGET because of (.*)`, (*storyWorld).because)
	add(`PERSON has no findings`, (*storyWorld).hasNoFindings)
	return out
}

func (w *storyWorld) on(a []string) error {
	at, err := storyMoment(a[0])
	if err != nil {
		return err
	}
	if at.Before(w.clock.Now()) {
		return errors.New("a story does not go back in time")
	}
	w.clock.Set(at)
	return w.settle()
}

// facts reads "department Sales, active false" into a SCIM User.
func facts(w *storyWorld, source, text string) (map[string]any, error) {
	user := map[string]any{}
	extension := func(urn string) map[string]any {
		if user[urn] == nil {
			user[urn] = map[string]any{}
		}
		return user[urn].(map[string]any)
	}
	for part := range strings.SplitSeq(text, ", ") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		switch name {
		case "":
		case "active":
			user["active"] = value == "true"
		case "department", "employeeNumber", "costCenter", "division", "organization":
			extension(scim.URNEnterprise)[name] = value
		case "number":
			extension(scim.URNEnterprise)["employeeNumber"] = value
		case "manager":
			id := w.ids[source+"/"+value]
			if id == "" {
				id = value
			}
			extension(scim.URNEnterprise)["manager"] = map[string]any{"value": id}
		case "start", "end", "last", "leaveFrom", "leaveUntil", "status":
			key := map[string]string{"start": "startDate", "end": "endDate", "last": "lastDay"}[name]
			if key == "" {
				key = name
			}
			extension(employmentURN)[key] = value
		case "email":
			user["emails"] = ""
			if value == "" {
				break
			}
			user["emails"] = []any{map[string]any{"value": value, "type": "work", "primary": true}}
		case "given", "family":
			n, _ := user["name"].(map[string]any)
			if n == nil {
				n = map[string]any{}
				user["name"] = n
			}
			n[name+"Name"] = value
		case "title", "userType", "externalId", "userName", "displayName", "locale", "timezone":
			user[name] = value
		default:
			return nil, fmt.Errorf("no fact is called %q", name)
		}
	}
	return user, nil
}

// merge lays one user over another; an empty text takes an attribute away.
func mergeFacts(into, from map[string]any) {
	for k, v := range from {
		if m, ok := v.(map[string]any); ok {
			have, _ := into[k].(map[string]any)
			if have == nil {
				have = map[string]any{}
				into[k] = have
			}
			mergeFacts(have, m)
			continue
		}
		if v == "" {
			delete(into, k)
			continue
		}
		into[k] = v
	}
}

func (w *storyWorld) push(a []string) error {
	source, who := a[0], a[1]
	user, err := facts(w, source, a[2])
	if err != nil {
		return err
	}
	full := map[string]any{"schemas": []any{scim.URNUser}, "userName": who, "externalId": "n-" + who, "active": true, scim.URNEnterprise: map[string]any{"employeeNumber": "n-" + who}}
	mergeFacts(full, user)
	var made map[string]any
	if err := w.call(source+storySecret, http.MethodPost, "/scim/v2/Users", full, &made); err != nil {
		return err
	}
	w.ids[source+"/"+who], _ = made["id"].(string)
	return w.settle()
}

func (w *storyWorld) userPath(source, who string) string {
	return "/scim/v2/Users/" + w.ids[source+"/"+who]
}

func (w *storyWorld) change(a []string) error {
	source, who := a[0], a[1]
	user, err := facts(w, source, a[2])
	if err != nil {
		return err
	}
	var now map[string]any
	if err := w.call(source+storySecret, http.MethodGet, w.userPath(source, who), nil, &now); err != nil {
		return err
	}
	delete(now, "meta")
	delete(now, "groups")
	mergeFacts(now, user)
	if err := w.call(source+storySecret, http.MethodPut, w.userPath(source, who), now, nil); err != nil {
		return err
	}
	return w.settle()
}

func (w *storyWorld) rename(a []string) error {
	if err := w.change([]string{a[0], a[1], "userName " + a[2]}); err != nil {
		return err
	}
	w.ids[a[0]+"/"+a[2]] = w.ids[a[0]+"/"+a[1]]
	return nil
}

// sameAccount claims that an account is the one that was there when it was first looked at.
func (w *storyWorld) sameAccount(a []string) error {
	if err := w.hasAccount(a); err != nil {
		return err
	}
	v, err := w.identity(a[1])
	if err != nil {
		return err
	}
	var page struct {
		Items []struct{ Action, Object string }
	}
	if err := w.admin(http.MethodGet, "/audit?limit=1000&identity="+v.ID, nil, &page); err != nil {
		return err
	}
	made := 0
	for _, e := range page.Items {
		if e.Action == "target.create" && e.Object == "target/"+a[0] {
			made++
		}
	}
	if made != 1 {
		return fmt.Errorf("an account was made %d times", made)
	}
	return nil
}

func (w *storyWorld) accountHas(a []string) error {
	acc, err := w.account(a[0], a[1])
	if err != nil || acc == nil {
		return errors.Join(err, errors.New("there is no account"))
	}
	if a[2] == "email" {
		text, err := json.Marshal(acc.doc["emails"])
		if err == nil && !strings.Contains(string(text), strconv.Quote(a[3])) {
			err = fmt.Errorf("the addresses are %s", text)
		}
		return err
	}
	if got := fmt.Sprint(acc.doc[a[2]]); got != a[3] {
		return fmt.Errorf("%s is %s", a[2], got)
	}
	return nil
}

func (w *storyWorld) peopleCalled(a []string) error {
	var page struct{ Items []admin.IdentityView }
	if err := w.admin(http.MethodGet, "/identities?q="+url.QueryEscape(a[1]), nil, &page); err != nil {
		return err
	}
	if n := len(page.Items); strconv.Itoa(n) != a[0] {
		return fmt.Errorf("there are %d", n)
	}
	return nil
}

// factFrom claims a fact of the merged record, and the source that it came from.
func (w *storyWorld) factFrom(a []string) error {
	v, err := w.identity(a[0])
	if err != nil {
		return err
	}
	key, value := a[1], v.User[a[1]]
	if extension, _ := v.User[scim.URNEnterprise].(map[string]any); extension[key] != nil {
		key, value = scim.URNEnterprise+":"+key, extension[key]
	}
	if a[2] != "" && fmt.Sprint(value) != a[2] {
		return fmt.Errorf("it is %v", value)
	}
	if v.Origin[key] != a[3] {
		return fmt.Errorf("it came from %q", v.Origin[key])
	}
	return nil
}

func (w *storyWorld) deletePerson(a []string) error {
	if err := w.call(a[0]+storySecret, http.MethodDelete, w.userPath(a[0], a[1]), nil, nil); err != nil {
		return err
	}
	return w.settle()
}

func (w *storyWorld) member(source, who, group, op string) error {
	key := source + "/group " + group
	if w.ids[key] == "" {
		var made map[string]any
		if err := w.call(source+storySecret, http.MethodPost, "/scim/v2/Groups", map[string]any{"schemas": []any{scim.URNGroup}, "displayName": group}, &made); err != nil {
			return err
		}
		w.ids[key], _ = made["id"].(string)
	}
	id := w.ids[source+"/"+who]
	operation := map[string]any{"op": op, "path": "members", "value": []any{map[string]any{"value": id}}}
	if op == "remove" {
		operation = map[string]any{"op": op, "path": "members[value eq " + strconv.Quote(id) + "]"}
	}
	body := map[string]any{"schemas": []any{scim.URNPatchOp}, "Operations": []any{operation}}
	if err := w.call(source+storySecret, http.MethodPatch, "/scim/v2/Groups/"+w.ids[key], body, nil); err != nil {
		return err
	}
	return w.settle()
}

func (w *storyWorld) identity(who string) (admin.IdentityView, error) {
	var v admin.IdentityView
	err := w.admin(http.MethodGet, "/identities/"+url.PathEscape(who), nil, &v)
	return v, err
}

func (w *storyWorld) isStage(a []string) error {
	v, err := w.identity(a[0])
	if err == nil && string(v.Stage) != a[1] {
		err = fmt.Errorf("%s is %s", a[0], v.Stage)
	}
	return err
}

func (w *storyWorld) isUnknown(a []string) error {
	status, text, err := w.send(storySecret, http.MethodGet, "/api/v1/identities/"+a[0], "", nil)
	if err == nil && status != http.StatusNotFound {
		err = fmt.Errorf("the hub knows %s: %d %s", a[0], status, text)
	}
	return err
}

// names reads a list of names in any order; "nothing" is none.
func namesOf(text string) []string {
	if text == "nothing" || text == "" {
		return []string{}
	}
	list := strings.Split(text, ", ")
	slices.Sort(list)
	return list
}

func (w *storyWorld) holds(a []string) error {
	v, err := w.identity(a[0])
	if err != nil {
		return err
	}
	slices.Sort(v.Roles)
	if want := namesOf(a[1]); !slices.Equal(want, append([]string{}, v.Roles...)) {
		return fmt.Errorf("%s holds %v (findings %q)", a[0], v.Roles, v.Findings)
	}
	return nil
}

// heldAccount is one user as an application holds it.
type heldAccount struct {
	active bool
	groups []string
	doc    map[string]any
}

func (w *storyWorld) account(target, who string) (*heldAccount, error) {
	server := w.apps[target]
	if server == nil {
		return nil, fmt.Errorf("there is no application %s", target)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, server.URL+"/_app/state", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var state struct{ Users, Groups []map[string]any }
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		return nil, err
	}
	var found *heldAccount
	for _, u := range state.Users {
		if u["userName"] == who {
			if found != nil {
				return nil, fmt.Errorf("%s has two accounts", who)
			}
			active, given := u["active"].(bool)
			found = &heldAccount{active: active || !given, doc: u, groups: []string{}}
		}
	}
	if found == nil {
		return nil, nil
	}
	for _, g := range state.Groups {
		members, _ := g["members"].([]any)
		for _, m := range members {
			if member, _ := m.(map[string]any); member["value"] == found.doc["id"] {
				name, _ := g["displayName"].(string)
				found.groups = append(found.groups, name)
			}
		}
	}
	slices.Sort(found.groups)
	return found, nil
}

func (w *storyWorld) hasAccount(a []string) error {
	acc, err := w.account(a[0], a[1])
	switch {
	case err != nil:
		return err
	case acc == nil:
		return errors.New("there is none")
	case !acc.active:
		return errors.New("it is inactive")
	case a[2] != "" && !slices.Equal(acc.groups, namesOf(a[2])):
		return fmt.Errorf("it is in %v", acc.groups)
	}
	return nil
}

func (w *storyWorld) isInactive(a []string) error {
	acc, err := w.account(a[0], a[1])
	switch {
	case err != nil:
		return err
	case acc == nil:
		return errors.New("there is none")
	case acc.active:
		return errors.New("it is active")
	}
	return nil
}

func (w *storyWorld) hasNoAccount(a []string) error {
	acc, err := w.account(a[0], a[1])
	if err == nil && acc != nil {
		err = fmt.Errorf("there is one, active %v, in %v", acc.active, acc.groups)
	}
	return err
}

// timeline compares the events of a person's life, in order.
func (w *storyWorld) timeline(a []string) error {
	v, err := w.identity(a[0])
	if err != nil {
		return err
	}
	var page struct {
		Items []struct{ Action string }
	}
	if err := w.admin(http.MethodGet, "/audit?limit=1000&identity="+v.ID, nil, &page); err != nil {
		return err
	}
	var said []string
	for _, e := range page.Items {
		if event, ok := strings.CutPrefix(e.Action, "identity."); ok {
			said = append(said, event)
		}
	}
	if want := strings.Split(a[1], ", "); !slices.Equal(want, said) {
		return fmt.Errorf("it says %v", said)
	}
	return nil
}

func (w *storyWorld) hasFinding(a []string) error {
	v, err := w.identity(a[0])
	if err == nil && !slices.ContainsFunc(v.Findings, func(f string) bool { return strings.Contains(f, a[1]) }) {
		err = fmt.Errorf("the findings are %q", v.Findings)
	}
	return err
}

func (w *storyWorld) hasNoFindings(a []string) error {
	v, err := w.identity(a[0])
	if err == nil && len(v.Findings) > 0 {
		err = fmt.Errorf("there are %q", v.Findings)
	}
	return err
}
