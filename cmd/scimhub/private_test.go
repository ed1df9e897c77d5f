//go:build unix

package main

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrivateFiles: what the hub writes on its machine, its user alone can read, whatever
// the mask is that it runs with.
func TestPrivateFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SCIMHUB_RUNTIME_DIR", filepath.Join(dir, "run"))
	i, err := start(t.Context(), instanceOptions{Name: "hub.yaml", Log: slog.New(slog.DiscardHandler), Announce: true,
		Config: []byte("listen: 127.0.0.1:0\ndatabase: sqlite:" + filepath.Join(dir, "hub.db") + "\nsources: {hr: {tokens: [{name: main, secret: private-of-hr}]}}\n")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := i.close(); err != nil {
			t.Error(err)
		}
	}()
	files := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %s", strings.TrimPrefix(path, dir), info.Mode())
		}
		files++
		return err
	})
	if err != nil || files < 3 { // the database, its log, the announcement
		t.Errorf("%d files, %v", files, err)
	}
}
