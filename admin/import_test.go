package admin_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
)

// send posts an import.
func (a *api) send(path, role, kind, body string) (int, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.URL+"/api/v1/sources/"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+role+"-secret")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := a.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestImportRoute(t *testing.T) {
	t.Parallel()
	const people = "userName,title\nada,Clerk\njörg müller/é,\nnew,\n"
	eachAPI(t, func(t *testing.T, a *api) {
		a.t = t
		for _, tt := range []struct {
			path, role, kind, body string
			status                 int
			want                   string
		}{
			{"hr/import?dry_run=true", admin.RoleAuditor, "text/csv", people, 403, "may not"},
			{"hr/import", admin.RoleApprover, "text/csv", people, 403, "operators import"},
			{"hr/import?release=00", admin.RoleOperator, "text/csv", people, 403, "approvers release"},
			{"hrr/import", admin.RoleOperator, "text/csv", people, 404, `did you mean \"hr\"`},
			{"hr/import", admin.RoleOperator, "application/pdf", people, 400, "text/csv"},
			{"hr/import?dryrun=true", admin.RoleOperator, "text/csv", people, 400, "dry_run"},
			{"hr/import?partial=maybe", admin.RoleOperator, "text/csv", people, 400, "true or false"},
			{"hr/import?digest=00", admin.RoleOperator, "text/csv", people, 409, "no longer the one"},
			{"hr/import", admin.RoleOperator, "text/csv", "userName\n\"\"\n", 400, "rows.csv:2:1"},
			{"hr/import", admin.RoleOperator, "multipart/form-data; boundary=x", "--x--\r\n", 400, "no part named rows"},
			{"hr/import", admin.RoleOperator, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"rows\"\r\n\r\nuserName\n", 400, "nothing was changed"},
			{"hr/import?dry_run=true", admin.RoleApprover, "text/csv", people, 200, `"creates":1`},
			{"hr/import", admin.RoleOperator, "text/csv", people, 200, `"applied":true`},
			{"hr/import?partial=true", admin.RoleAdmin, "application/x-ndjson", `{"userName":"ada","title":"Boss"}`, 200, `"updates":1`},
		} {
			status, text := a.send(tt.path, tt.role, tt.kind, tt.body)
			if status != tt.status || !strings.Contains(text, tt.want) {
				t.Errorf("%s by %s: %d %s, want %d %s", tt.path, tt.role, status, text, tt.status, tt.want)
			}
		}
		if _, text, _ := a.call("GET", "/sources/hr/imports", admin.RoleAuditor+"-secret", ""); strings.Count(text, `"digest"`) != 2 {
			t.Errorf("imports: %s", text)
		}
		if _, text, _ := a.call("GET", "/sources/hr", admin.RoleAuditor+"-secret", ""); !strings.Contains(text, `"last_seen"`) {
			t.Errorf("source: %s", text)
		}
	})
}

// TestImportWithMap sends more than other routes take, with a map.
func TestImportWithMap(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.t = t
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		rows, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="rows"; filename="p.csv"`}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(rows, "login,note\nada,\n")
		for range 20 {
			_, _ = io.WriteString(rows, "jörg müller/é,"+strings.Repeat("x", 1<<19)+"\n")
		}
		if err := form.WriteField("map", "columns: {userName: row.login}\n"); err != nil {
			t.Fatal(err)
		}
		_ = form.Close()
		status, text := a.send("hr/import?dry_run=true", admin.RoleOperator, form.FormDataContentType(), body.String())
		var p admin.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || status != 400 || len(p.Faults) != 19 || !strings.HasPrefix(p.Faults[0], "p.csv:4:1: ") {
			t.Errorf("%d %.300s", status, text)
		}
		short := strings.Replace(body.String(), strings.Repeat("jörg müller/é,"+strings.Repeat("x", 1<<19)+"\n", 20), "jörg müller/é,\n", 1)
		status, text = a.send("hr/import", admin.RoleOperator, form.FormDataContentType(), short)
		var r hub.ImportResult
		if err := json.Unmarshal([]byte(text), &r); err != nil || status != 200 || r.Rows != 2 || r.Differs() {
			t.Errorf("%d %s", status, text)
		}
	})
}
