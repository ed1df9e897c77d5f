package console

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
)

// rolesView is the page of roles.
type rolesView struct {
	Q     string
	Roles []admin.RoleView
	Next  string
}

func showRoles(v *Visit) (any, error) {
	out := rolesView{Q: v.Query("q")}
	var found listing[admin.RoleView]
	err := v.Get(&found, Query("/roles", "q", out.Q, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	out.Roles, out.Next = found.Items, found.Next
	return out, err
}

// roleView is the page of one role and who holds it.
type roleView struct {
	admin.RoleView
	People []admin.IdentityView
	Next   string
	All    bool // whoever looks sees who holds it
}

func showRole(v *Visit) (any, error) {
	out := roleView{All: v.Caller.May("read") == nil}
	if err := v.Get(&out.RoleView, "/roles/%s", v.Var("role")); err != nil || !out.All {
		return out, err
	}
	var found listing[admin.IdentityView]
	err := v.Get(&found, Query("/identities", "role", out.Name, "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	out.People, out.Next = found.Items, found.Next
	return out, err
}

// versionsView is the page of versions of the configuration.
type versionsView struct {
	Versions []admin.ConfigVersionView
	Next     string
	May      bool // put one in force
}

func showVersions(v *Visit) (any, error) {
	out := versionsView{May: v.Caller.May("administer") == nil}
	var found listing[admin.ConfigVersionView]
	err := v.Get(&found, Query("/config/versions", "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	out.Versions, out.Next = found.Items, found.Next
	return out, err
}

func showVersion(v *Visit) (any, error) {
	var out admin.ConfigVersionView
	err := v.Get(&out, "/config/versions/%s", v.Var("version"))
	return out, err
}

// differenceView is how two versions differ, line by line.
type differenceView struct {
	admin.ConfigDiff
	Lines []diffLine
}

// diffLine is a line of a difference: added, removed or as it was.
type diffLine struct{ Kind, Text string }

func showDifference(v *Visit) (any, error) {
	var out differenceView
	err := v.Get(&out.ConfigDiff, "/config/diff?from="+url.QueryEscape(v.Query("from"))+"&to="+url.QueryEscape(v.Query("to")))
	for line := range strings.Lines(out.Text) {
		kind := "same"
		switch {
		case strings.HasPrefix(line, "+"):
			kind = "added"
		case strings.HasPrefix(line, "-"):
			kind = "removed"
		}
		out.Lines = append(out.Lines, diffLine{kind, strings.TrimSuffix(line, "\n")})
	}
	return out, err
}

// changeView is the page on which a change of the configuration begins.
type changeView struct {
	admin.ConfigView
	May bool
}

func showChange(v *Visit) (any, error) {
	out := changeView{May: v.Caller.May("administer") == nil}
	err := v.Get(&out.ConfigView, "/config")
	return out, err
}

// conflictsView is the page of conflicts and the exceptions to them.
type conflictsView struct {
	Conflicts  []admin.ConflictView
	Exceptions []admin.ExceptionView
	Next       string // of exceptions
	May        bool   // allow exceptions
}

func showConflicts(v *Visit) (any, error) {
	out := conflictsView{May: v.Caller.May("decide") == nil}
	var conflicts listing[admin.ConflictView]
	if err := v.Get(&conflicts, "/conflicts?limit=100"); err != nil {
		return nil, err
	}
	var exceptions listing[admin.ExceptionView]
	err := v.Get(&exceptions, Query("/exceptions", "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	out.Conflicts, out.Exceptions, out.Next = conflicts.Items, exceptions.Items, exceptions.Next
	return out, err
}
