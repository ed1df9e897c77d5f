package admin

import (
	"net/http"
	"slices"
	"strings"
)

// AccessView is who may call what: the policy as the program has it, and as a table.
type AccessView struct {
	You    AccessOf       `json:"you"`
	Roles  []AccessOf     `json:"roles"`
	Routes []AccessRoute  `json:"routes"` // by address
	Model  string         `json:"model"`  // as Casbin writes it
	Policy string         `json:"policy"`
	Rights []AccessRights `json:"rights"`
}

// AccessOf is what a role, or a caller, may do.
type AccessOf struct {
	Name    string   `json:"name,omitempty"` // of the caller
	Role    string   `json:"role"`
	Person  string   `json:"person,omitempty"`  // for whom the caller acts
	Targets []string `json:"targets,omitempty"` // that the caller is limited to; absent: no limit
	Rights  []string `json:"rights"`            // sorted
}

// AccessRights says which roles have a right.
type AccessRights struct {
	Right string   `json:"right"`
	Roles []string `json:"roles"`
}

// AccessRoute says which roles may call a route.
type AccessRoute struct {
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Right  string   `json:"right"`
	Roles  []string `json:"roles"`
	What   string   `json:"what,omitempty"`
}

// rightsOf are the rights that a caller has, sorted; at a target of those that it is
// limited to, if it is.
func rightsOf(c Caller) []string {
	at := ""
	if len(c.Targets) > 0 {
		at = c.Targets[0]
	}
	out := []string{}
	for _, name := range Rights() {
		if c.mayAt(right(name), at) == nil {
			out = append(out, name)
		}
	}
	return out
}

// rolesWith are the roles that have a right.
func rolesWith(what right) []string {
	out := []string{}
	for _, role := range Roles() {
		if (Caller{Role: role}).May(what) == nil {
			out = append(out, role)
		}
	}
	return out
}

// access shows who may call what.
func (a *API) access(_ *http.Request, by Caller) (any, error) {
	out := AccessView{Model: accessModel, Policy: accessPolicy,
		You: AccessOf{Name: by.Name, Role: by.Role, Person: by.Person, Targets: by.Targets, Rights: rightsOf(by)}}
	for _, role := range Roles() {
		out.Roles = append(out.Roles, AccessOf{Role: role, Rights: rightsOf(Caller{Role: role})})
	}
	for _, name := range Rights() {
		out.Rights = append(out.Rights, AccessRights{name, rolesWith(right(name))})
	}
	for _, rt := range a.routes() {
		out.Routes = append(out.Routes, AccessRoute{Method: rt.method, Path: rt.path, Right: string(rt.right), Roles: rolesWith(rt.right), What: rt.about.sum})
	}
	slices.SortFunc(out.Routes, func(x, y AccessRoute) int {
		if c := strings.Compare(x.Path, y.Path); c != 0 {
			return c
		}
		return strings.Compare(x.Method, y.Method)
	})
	return out, nil
}
