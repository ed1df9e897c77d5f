package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Walks drive a real browser through the console of the built program, as the people do
// for whom it is made. They take a browser and minutes:
//
//	SCIMHUB_BROWSER=/usr/bin/chromium go test -run '^TestWalk' ./cmd/scimhub
//
// SCIMHUB_AXE names axe-core's axe.min.js: then each page is checked for accessibility.
// SCIMHUB_SHOTS names a folder for pictures of what was seen.

// patience is how long a walk waits for what it expects to see.
const patience = time.Minute

// walker is somebody at a browser.
type walker struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // chromedp keeps the browser in it
	base   string
	name   string // of the walk, for pictures
	axe    string
	looked map[string]bool // pages that were checked already
}

// browserFlags keep the browser from everything but the pages.
func browserFlags(path, dir string) []chromedp.ExecAllocatorOption {
	return append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WindowSize(1280, 900))
}

// newWalker opens a browser in which nobody is signed in.
func newWalker(t *testing.T, base, name string) *walker {
	t.Helper()
	path := os.Getenv("SCIMHUB_BROWSER")
	if path == "" {
		t.Skip("needs a browser: set SCIMHUB_BROWSER to chromium")
	}
	path, err := exec.LookPath(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &walker{t: t, base: base, name: name, looked: map[string]bool{}}
	if file := os.Getenv("SCIMHUB_AXE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.axe = string(text)
	}
	alloc, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), browserFlags(path, t.TempDir())...)
	ctx, cancel := chromedp.NewContext(alloc)
	w.ctx = ctx
	t.Cleanup(func() { cancel(); stop() })
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	if err := chromedp.Listen(ctx, w.agree); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			w.shot("failed")
			t.Logf("%s: at %s:\n%s", name, w.address(), w.text())
		}
	})
	return w
}

// agree says yes where a page asks whether one is sure.
func (w *walker) agree(ev any) {
	if _, ok := ev.(*page.EventJavascriptDialogOpening); ok {
		go func() {
			_, _ = chromedp.Call(w.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
}

func (w *walker) run(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// value runs an action that has one.
func value[T any](w *walker, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

func (w *walker) must(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := w.run(actions...); err != nil {
		w.t.Fatalf("%s: %s: %v", w.name, what, err)
	}
}

// open goes to a page.
func (w *walker) open(path string) {
	w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = w.base + path
	}
	w.must("open "+path, chromedp.Navigate(path), chromedp.WaitReady("body"))
	w.check()
}

func (w *walker) address() (out string) {
	out, _ = value(w, chromedp.Location())
	return strings.TrimPrefix(out, w.base)
}

// text is what can be read in the page.
func (w *walker) text() (out string) {
	out, _ = value(w, chromedp.Evaluate[string](`document.querySelector("main")?.innerText ?? document.body.innerText`))
	return out
}

// sees waits until words can be read in the page.
func (w *walker) sees(words ...string) {
	w.t.Helper()
	for _, word := range words {
		await(w.t, patience, fmt.Sprintf("%s at %s: %q is to be read", w.name, w.address(), word), func() error {
			if text := w.text(); !strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
				return fmt.Errorf("it reads: %.1500s", text)
			}
			return nil
		})
	}
	w.check()
}

// seesNot wants words not to be there.
func (w *walker) seesNot(words ...string) {
	w.t.Helper()
	text := strings.ToLower(w.text())
	for _, word := range words {
		if strings.Contains(text, strings.ToLower(word)) {
			w.t.Errorf("%s at %s: %q is to be read", w.name, w.address(), word)
		}
	}
}

// findJS finds what somebody would press: a link or button by its words, the first that
// can be seen. Within narrows it to what holds other words: a card, a row.
const findJS = `((words, within) => {
  const same = (e) => (e.innerText || e.value || e.getAttribute("aria-label") || "").trim().toLowerCase().startsWith(words.toLowerCase());
  let roots = [document];
  if (within) {
    roots = [...document.querySelectorAll("[data-item], tr, li, .card, fieldset, section, article, details, form, main")].filter(e => e.innerText.toLowerCase().includes(within.toLowerCase()));
    roots.sort((a, b) => a.innerText.length - b.innerText.length);
  }
  for (const root of roots) for (const e of root.querySelectorAll("main a, main button, main summary, main input[type=submit], header a, header button, nav a, button, a, summary"))
    if (same(e) && e.getClientRects().length > 0 && !e.disabled) { document.querySelectorAll("[data-pressed]").forEach(o => o.removeAttribute("data-pressed")); e.setAttribute("data-pressed", ""); return true; }
  return false;
})(%s, %s)`

// press presses a link or a button.
func (w *walker) press(words string) { w.t.Helper(); w.pressIn("", words) }

// pressIn presses one that stands together with other words.
func (w *walker) pressIn(within, words string) {
	w.t.Helper()
	find := fmt.Sprintf(findJS, mustJSON(words), mustJSON(within))
	await(w.t, patience, fmt.Sprintf("%s at %s: %q can be pressed (%s)", w.name, w.address(), words, within), func() error {
		if found, err := value(w, chromedp.Evaluate[bool](find)); err != nil || !found {
			return fmt.Errorf("there is none: %w; it reads: %.800s", err, w.text())
		}
		return nil
	})
	w.must("press "+words, chromedp.ScrollIntoView(chromedp.CSS("[data-pressed]")), chromedp.Click(chromedp.CSS("[data-pressed]")), chromedp.WaitReady("body"))
	w.check()
}

// fieldJS finds a field by its label, within what holds other words.
const fieldJS = `((label, within) => {
  let roots = [document];
  if (within) {
    roots = [...document.querySelectorAll("[data-item], tr, li, .card, fieldset, section, article, details, form, main")].filter(e => e.innerText.toLowerCase().includes(within.toLowerCase()));
    roots.sort((a, b) => a.innerText.length - b.innerText.length);
  }
  for (const root of roots) for (const e of root.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const names = [...(e.labels || [])].map(l => l.innerText.trim()).concat(e.getAttribute("aria-label") || "");
    if (names.some(n => n.toLowerCase().startsWith(label.toLowerCase())) && e.getClientRects().length > 0) {
      document.querySelectorAll("[data-field]").forEach(o => o.removeAttribute("data-field")); e.setAttribute("data-field", "");
      return e.tagName + " " + (e.type || "");
    }
  }
  return "";
})(%s, %s)`

// chooseJS chooses from a list by what is to be read there.
const chooseJS = `((v) => {
  const e = document.querySelector("[data-field]"), o = [...e.options].find(o => o.value === v || o.text.trim() === v);
  if (!o) return false;
  e.value = o.value;
  e.dispatchEvent(new Event("change", {bubbles: true}));
  return true;
})(%s)`

// axeJS runs axe-core over the page.
const axeJS = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(
  v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))}))))`

// fill writes into a field, chooses from a list, or ticks a box.
func (w *walker) fill(label, text string) { w.t.Helper(); w.fillIn("", label, text) }

func (w *walker) fillIn(within, label, text string) {
	w.t.Helper()
	kind := ""
	await(w.t, patience, fmt.Sprintf("%s at %s: there is a field %q", w.name, w.address(), label), func() error {
		var err error
		if kind, err = value(w, chromedp.Evaluate[string](fmt.Sprintf(fieldJS, mustJSON(label), mustJSON(within)))); err != nil || kind == "" {
			return fmt.Errorf("there is none: %w", err)
		}
		return nil
	})
	switch {
	case strings.HasPrefix(kind, "SELECT"):
		ok, err := value(w, chromedp.Evaluate[bool](fmt.Sprintf(chooseJS, mustJSON(text))))
		if err != nil {
			w.t.Fatal(err)
		}
		if !ok {
			w.t.Fatalf("%s: %s offers no %q", w.name, label, text)
		}
	case strings.Contains(kind, "checkbox"), strings.Contains(kind, "radio"):
		w.must("tick "+label, chromedp.Click(chromedp.CSS("[data-field]")))
	case strings.Contains(kind, "date"), strings.HasPrefix(kind, "TEXTAREA"):
		w.must("set "+label, chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-field]").value = `+string(mustJSON(text))))
	default:
		w.must("fill "+label, chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-field]").value = ""`), chromedp.SendKeys(chromedp.CSS("[data-field]"), text))
	}
}

// signIn comes in with an API token.
func (w *walker) signIn(token string) {
	w.t.Helper()
	w.open("/sign-in")
	w.fill("API token", token)
	w.press("Sign in")
	w.sees("Overview")
}

// check has the page checked once for each address.
func (w *walker) check() {
	w.t.Helper()
	at, _, _ := strings.Cut(w.address(), "?")
	if w.axe == "" || w.looked[at] || strings.HasPrefix(at, "about:") {
		return
	}
	w.looked[at] = true
	out := ""
	_, err := value(w, chromedp.Evaluate[int](w.axe+";0"))
	if err == nil {
		out, err = value(w, chromedp.Evaluate[string](axeJS, chromedp.EvalAwaitPromise))
	}
	if err != nil {
		if now, _, _ := strings.Cut(w.address(), "?"); now != at { // it went on meanwhile
			delete(w.looked, at)
			return
		}
		w.t.Errorf("%s: axe at %s: %v", w.name, at, err)
		return
	}
	var found []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		w.t.Fatal(err)
	}
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			w.t.Errorf("%s: %s: %s (%s, %s): %q", w.name, at, v.Help, v.ID, v.Impact, v.Nodes)
		}
	}
}

// shot keeps a picture of the whole page, and one as a phone shows it.
func (w *walker) shot(name string) {
	w.t.Helper()
	dir := os.Getenv("SCIMHUB_SHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	for _, size := range []screen{{"", 1280, 900, "light"}, {"-dark", 1280, 900, "dark"}, {"-phone", 390, 844, "light"}} {
		png, err := value(w, func(ctx context.Context, t *chromedp.Target) ([]byte, error) { return size.take(ctx, t) })
		if err != nil {
			w.t.Logf("no picture of %s: %v", name, err)
			return
		}
		if err := os.WriteFile(filepath.Join(dir, w.name+"-"+name+size.suffix+".png"), png, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// screen is how somebody looks at a page.
type screen struct {
	suffix        string
	width, height int64
	scheme        string
}

func (s screen) take(ctx context.Context, t *chromedp.Target) ([]byte, error) {
	if _, err := chromedp.EmulateViewport(s.width, s.height)(ctx, t); err != nil {
		return nil, err
	}
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}}
	if _, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		return nil, err
	}
	png, err := chromedp.CaptureScreenshot()(ctx, t)
	if err != nil {
		return nil, err
	}
	_, err = chromedp.EmulateViewport(1280, 900)(ctx, t)
	return png, err
}
