package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed templates assets
var files embed.FS

// sheets are the templates and files of the console.
type sheets struct {
	byName map[string]func() (*template.Template, error) // read when the page is first shown
	assets map[string]asset
}

type asset struct {
	kind, tag string
	body      []byte
}

// loadSheets finds the templates, each with the layout and the parts that pages share.
// One is read when it is first used: most hubs show few pages, and to read them all is
// most of what a start costs, in time and in memory.
func loadSheets(pages []page, now func() time.Time) (*sheets, error) {
	s := &sheets{byName: map[string]func() (*template.Template, error){}, assets: map[string]asset{}}
	base, err := template.New("layout.html").Funcs(functions(now)).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	all, err := files.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		name, found := strings.CutSuffix(file.Name(), ".html")
		if !found || name == "layout" || name == "parts" {
			continue
		}
		s.byName[name] = sync.OnceValues(func() (*template.Template, error) {
			t, err := base.Clone()
			if err != nil {
				return nil, err
			}
			return t.ParseFS(files, "templates/"+file.Name())
		})
	}
	for _, p := range pages {
		if s.byName[p.sheet] == nil {
			return nil, fmt.Errorf("there is no template %s for %s", p.sheet, p.path)
		}
	}
	return s, s.loadAssets()
}

func (s *sheets) loadAssets() error {
	entries, err := files.ReadDir("assets")
	if err != nil {
		return err
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, e := range entries {
		body, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			return err
		}
		kind, ok := kinds[path.Ext(e.Name())]
		if !ok {
			return fmt.Errorf("assets/%s is of no kind that is served", e.Name())
		}
		sum := sha256.Sum256(body)
		s.assets["/assets/"+e.Name()] = asset{kind, `"` + hex.EncodeToString(sum[:8]) + `"`, body}
	}
	return nil
}

func (s *sheets) render(w io.Writer, name string, f frame) error {
	if s.byName[name] == nil {
		return fmt.Errorf("there is no template %s", name)
	}
	t, err := s.byName[name]()
	if err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	return t.ExecuteTemplate(w, "layout.html", f)
}

// ServeHTTP serves the style sheet, the script and the icon.
func (s *sheets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=0, must-revalidate")
	h.Set("ETag", a.tag)
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.body)
}
