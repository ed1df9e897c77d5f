package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/scimhub/scimhub/model"
)

// local is how a hub tells the commands on its own machine where it is and with
// which token they may come in. The file is readable by the hub's user alone, who
// could read the database, too; the token ends with the process.
type local struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	PID   int    `json:"pid"`
	Pin   string `json:"pin,omitempty"` // SHA-256 of the hub's certificate in hexadecimal; empty: plain HTTP

	path string
}

func localDir() string {
	if d := os.Getenv("SCIMHUB_RUNTIME_DIR"); d != "" {
		return d
	}
	if d := os.Getenv("XDG_RUNTIME_DIR"); d != "" {
		return filepath.Join(d, "scimhub")
	}
	return filepath.Join(os.TempDir(), "scimhub-"+strconv.Itoa(os.Getuid()))
}

// checkDir refuses a directory that somebody else may have put there.
func checkDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ok || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s must be a directory of this user with mode 0700", dir)
	}
	return nil
}

// announce writes the file for a hub that listens; remove takes it away again.
func announce(addr net.Addr, pin string) (l local, remove func(), err error) {
	dir := localDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return l, nil, err
	}
	if err := checkDir(dir); err != nil {
		return l, nil, err
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return l, nil, err
	}
	scheme := "http://"
	if pin != "" {
		scheme = "https://"
	}
	l = local{URL: scheme + "127.0.0.1:" + port, Token: rand.Text() + rand.Text(), PID: os.Getpid(), Pin: pin, path: filepath.Join(dir, "hub-"+port+".json")}
	if host, _, _ := net.SplitHostPort(addr.String()); host != "" && !net.ParseIP(host).IsUnspecified() {
		l.URL = scheme + addr.String()
	}
	if err := l.write(); err != nil {
		return l, nil, err
	}
	return l, func() { _ = os.Remove(l.path) }, nil
}

// write puts the file in its place at once.
func (l local) write() error {
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.path+".new", body, 0o600); err != nil {
		return err
	}
	return os.Rename(l.path+".new", l.path)
}

// findLocal finds the hub of this machine: the one at the server's address, or,
// without one, the only one that runs.
func findLocal(server string) (local, error) {
	dir := localDir()
	none := model.Fail(model.NotFound, "no hub runs on this machine: give --server and --token (or SCIMHUB_SERVER and SCIMHUB_TOKEN)", nil)
	if checkDir(dir) != nil {
		return local{}, none
	}
	files, _ := filepath.Glob(filepath.Join(dir, "hub-*.json"))
	var found []local
	for _, f := range files {
		body, err := os.ReadFile(f)
		var l local
		if err != nil || json.Unmarshal(body, &l) != nil || syscall.Kill(l.PID, 0) != nil {
			continue
		}
		if server == "" || samePort(server, l.URL) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return local{}, none
	case 1:
		return found[0], nil
	}
	urls := make([]string, len(found))
	for i, l := range found {
		urls[i] = l.URL
	}
	return local{}, model.Fail(model.Conflict, "several hubs run on this machine, choose one with --server: "+strings.Join(urls, ", "), nil)
}

func samePort(a, b string) bool {
	ua, err1 := url.Parse(a)
	ub, err2 := url.Parse(b)
	if err1 != nil || err2 != nil || ua.Port() != ub.Port() {
		return false
	}
	host := ua.Hostname()
	return host == ub.Hostname() || host == "localhost" || net.ParseIP(host).IsLoopback() && net.ParseIP(ub.Hostname()).IsLoopback()
}
