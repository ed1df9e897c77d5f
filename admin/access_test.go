package admin

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

var update = flag.Bool("update", false, "write the table of access anew: read the difference")

const accessTable = "testdata/access.txt"

// accessCallers are one of each role, and credentials that are limited.
func accessCallers() []Token {
	var out []Token
	for _, role := range Roles() {
		out = append(out, NewToken(role, role, role, nil))
	}
	scoped := NewToken("admin:read", RoleAdmin, "admin:read", nil)
	scoped.Scope = []string{"read", "see-own"}
	nothing := NewToken("admin:none", RoleAdmin, "admin:none", nil)
	nothing.Scope = []string{}
	target := NewToken("operator@git", RoleOperator, "operator@git", nil)
	target.Targets = []string{"git"}
	other := NewToken("operator@x", RoleOperator, "operator@x", nil)
	other.Targets = []string{"x", "g\nit", "*"}
	stranger := NewToken("stranger", "owner", "stranger", nil)
	return append(out, scoped, nothing, target, other, stranger)
}

// TestAccessTable: every route, every role. A route without a row, or with another one
// than the table's, fails: look at the difference, then write it with -update.
func TestAccessTable(t *testing.T) {
	t.Parallel()
	callers := accessCallers()
	a := &API{Log: slog.New(slog.DiscardHandler), Tokens: &Tokens{Now: time.Now}}
	a.Tokens.Replace(callers)
	routes := a.routes()
	for i := range routes {
		routes[i].serve = func(*http.Request, Caller) (any, error) { return struct{}{}, nil }
	}
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	a.mount(root, routes)
	var lines []string
	for _, rt := range routes {
		path := variable.ReplaceAllString(rt.path, "none")
		path = strings.Replace(path, "/targets/none", "/targets/git", 1)
		var may []string
		for _, c := range callers {
			r := httptest.NewRequestWithContext(t.Context(), rt.method, path, strings.NewReader("{}"))
			r.Header.Set("Authorization", "Bearer "+c.Name)
			w := httptest.NewRecorder()
			root.ServeHTTP(w, r)
			switch w.Code {
			case http.StatusOK:
				may = append(may, c.Name)
			case http.StatusForbidden:
				var p Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != 403 || p.Detail == "" || w.Header().Get("Content-Type") != kindProblem {
					t.Errorf("%s %s as %s: no problem+json: %s", rt.method, rt.path, c.Name, w.Body)
				}
			default:
				t.Errorf("%s %s as %s: %d %s", rt.method, rt.path, c.Name, w.Code, w.Body)
			}
		}
		lines = append(lines, fmt.Sprintf("%-6s %-46s %-10s %s", rt.method, rt.path, rt.right, strings.Join(may, " ")))
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(accessTable, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(accessTable)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("who may call what is not as %s says (-want +got); see CONTRIBUTING:\n%s", accessTable, diff)
	}
}

// TestAccessIsShown: what GET /access says is what the routes do.
func TestAccessIsShown(t *testing.T) {
	t.Parallel()
	a := &API{}
	out, err := a.access(nil, Caller{Name: "x", Role: RoleAuditor, Scope: []string{"read"}})
	v, ok := out.(AccessView)
	if err != nil || !ok || len(v.Routes) != len(a.routes()) || len(v.Roles) != len(Roles()) {
		t.Fatalf("%v %+v", err, v)
	}
	if diff := cmp.Diff([]string{"read"}, v.You.Rights); diff != "" {
		t.Error(diff)
	}
	for _, rt := range v.Routes {
		if len(rt.Roles) == 0 {
			t.Errorf("nobody may call %s %s: its right %q is in no policy", rt.Method, rt.Path, rt.Right)
		}
	}
	for _, r := range v.Rights {
		if !slices.Contains(r.Roles, RoleAdmin) && r.Right != string(rightSeeOwn) {
			t.Errorf("an admin lacks %s", r.Right)
		}
	}
}
