package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

func (a *App) serveState(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, a.State(scimserver.RequestBase(Prefix)(r)))
}

func (a *App) serveStats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, a.Stats())
}

type faultsBody struct {
	Faults string `json:"faults"`
}

// serveFaults shows or replaces the faults. The body is the fault grammar itself,
// or a JSON object that holds it.
func (a *App) serveFaults(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		text, err := readFaults(http.MaxBytesReader(w, r.Body, 4*maxFaultText))
		if err == nil {
			err = a.SetFaults(text)
		}
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
	}
	writeJSON(w, http.StatusOK, faultsBody{a.Faults().String()})
}

// Accept is somebody accepting the invitation; false if there is none.
func (a *App) Accept(userName string) bool {
	a.fates.mu.Lock()
	defer a.fates.mu.Unlock()
	users, _ := a.registry.Type("User")
	for _, r := range a.store.Snapshot("User") {
		name, _ := r.Attrs["userName"].(string)
		if !strings.EqualFold(name, userName) || !a.fates.invited[r.ID] {
			continue
		}
		delete(a.fates.invited, r.ID)
		done := scim.Change{Patch: scim.Patch{{Op: scim.OpRemove, Path: &scim.Path{Attr: "userType"}}}}
		_, err := a.store.Modify(noWait(), users, r.ID, scimserver.Precondition{}, done, scim.Fields{})
		return err == nil
	}
	return false
}

// Invited lists the userNames of those who have not accepted their invitation.
func (a *App) Invited() []string {
	a.fates.mu.Lock()
	defer a.fates.mu.Unlock()
	var out []string
	for _, r := range a.store.Snapshot("User") {
		if name, _ := r.Attrs["userName"].(string); a.fates.invited[r.ID] {
			out = append(out, name)
		}
	}
	return out
}

// SetToken replaces the token and who owns it; a token that had died is forgotten.
func (a *App) SetToken(token, owner string) {
	a.fates.mu.Lock()
	defer a.fates.mu.Unlock()
	a.fates.token, a.fates.owner, a.fates.revoked = token, strings.ToLower(owner), false
}

// serveAccept accepts the invitation of one person, {"userName": …}, or of all, {}.
func (a *App) serveAccept(w http.ResponseWriter, r *http.Request) {
	var body struct{ UserName string }
	if !readWindow(w, r, &body) {
		return
	}
	who := []string{body.UserName}
	if body.UserName == "" {
		who = a.Invited()
	}
	n := 0
	for _, name := range who {
		if a.Accept(name) {
			n++
		}
	}
	writeJSON(w, http.StatusOK, map[string]int{"accepted": n})
}

// serveToken replaces the token or its owner: {"token": …, "owner": …}; what is left
// out stays.
func (a *App) serveToken(w http.ResponseWriter, r *http.Request) {
	var body struct{ Token, Owner *string }
	if !readWindow(w, r, &body) {
		return
	}
	a.fates.mu.Lock()
	token, owner := a.fates.token, a.fates.owner
	a.fates.mu.Unlock()
	if body.Token != nil {
		token = *body.Token
	}
	if body.Owner != nil {
		owner = *body.Owner
	}
	a.SetToken(token, owner)
	writeJSON(w, http.StatusOK, map[string]string{"owner": owner})
}

// readWindow reads a small JSON object, or answers 400.
func readWindow(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4*maxFaultText)).Decode(into)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "the body must be a JSON object: " + err.Error()})
	}
	return err == nil
}

func readFaults(r io.Reader) (string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("faults: the body could not be read: %w", err)
	}
	if len(text) == 0 || text[0] != '{' {
		return string(text), nil
	}
	var body struct {
		Faults *string `json:"faults"`
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Faults == nil {
		return "", fmt.Errorf(`faults: the body must be {"faults": "429:5%%,…"} or the faults alone`)
	}
	return *body.Faults, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client may have gone
}
