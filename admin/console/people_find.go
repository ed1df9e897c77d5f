package console

import (
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
)

// peopleView is the page on which people are found.
type peopleView struct {
	Q, Stage, Role, Target, Department string
	Stages, Roles, Targets             []string // to choose from
	Filtered                           bool
	People                             []admin.IdentityView
	Things                             admin.SearchAnswer // targets, roles and groups of that name
	Next                               string
	First                              bool
}

// stages are the stages of a life, as filters offer them.
func stages() []string { return []string{"prehire", "active", "leave", "leaver"} }

func showPeople(v *Visit) (_ any, err error) {
	out := peopleView{Q: strings.TrimSpace(v.Query("q")), Stage: v.Query("stage"), Role: v.Query("role"), Target: v.Query("target"),
		Department: strings.TrimSpace(v.Query("department")), Stages: stages(), First: v.Query("cursor") == ""}
	out.Filtered = out.Q+out.Stage+out.Role+out.Target+out.Department != ""
	if out.Targets, err = targetNames(v); err != nil {
		return nil, err
	}
	var found listing[admin.IdentityView]
	if err := v.Get(&found, Query("/identities", "q", out.Q, "stage", out.Stage, "role", out.Role, "target", out.Target, "department", out.Department,
		"cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows))); err != nil {
		return nil, err
	}
	out.People, out.Next = found.Items, found.Next
	if out.Q != "" && out.First {
		if err := v.Get(&out.Things, Query("/search", "q", out.Q, "limit", "1")); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// casesView is the page of people of whom it is not known who they are.
type casesView struct {
	Cases []admin.CaseView
	All   bool // decided ones, too
	Next  string
	May   bool // decide
}

func showCases(v *Visit) (any, error) {
	out := casesView{All: v.Query("state") == "all", May: v.Caller.May("operate") == nil}
	var found listing[admin.CaseView]
	err := v.Get(&found, Query("/cases", "state", v.Query("state"), "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	out.Cases, out.Next = found.Items, found.Next
	return out, err
}
