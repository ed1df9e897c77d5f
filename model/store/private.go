package store

import (
	"errors"
	"os"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// makePrivate makes a database file that is not there yet, for its owner alone: it will
// hold everybody's data and the hub's keys. SQLite gives the files beside it the same mode.
// One that is there keeps the mode that somebody gave it.
func makePrivate(path string) error {
	if path == ":memory:" || strings.HasPrefix(path, "file:") {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return model.Fail(model.Unavailable, "database cannot be opened", err)
	}
	return f.Close()
}
