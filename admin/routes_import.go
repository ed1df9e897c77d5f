package admin

import (
	"net/http"
	"time"

	"github.com/scimhub/scimhub/hub"
)

// importRoutes are those about imports.
func (a *API) importRoutes() []route {
	return []route{
		{"POST", importPath, rightImport, a.importRows, about{sum: "Rows of people: CSV, or JSON lines, alone or with a map", out: hub.ImportResult{}, query: []string{"partial", "dry_run", "digest", "release", "file", "map_file"}, takes: []string{"text/csv", "application/x-ndjson", "multipart/form-data"}}},
		{"GET", "/sources/{source}/imports", rightRead, a.imports, about{sum: "The latest imports of a source, at most 100", out: page[ImportView]{}}},
	}
}

const (
	importPath = "/sources/{source}/import"
	maxImport  = 256 << 20        // bytes; a hundred thousand people take about 30 MB
	importTime = 30 * time.Minute // for a body to arrive and be worked on
)

// bodyLimit is how large a request of a route may be, bytes. Who may send a large one
// gets the time for it.
func bodyLimit(w http.ResponseWriter, rt route) int64 {
	if rt.path != importPath {
		return maxBody
	}
	deadline := time.Now().Add(importTime) //nolint:forbidigo // a connection knows no clock but the wall's
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(deadline) // a server without deadlines needs none moved
	_ = control.SetWriteDeadline(deadline)
	return maxImport
}
