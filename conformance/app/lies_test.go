package app

import (
	"fmt"
	"strings"
	"testing"
)

func TestLies(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	u := r.make(ada)
	for i := range 4 {
		r.make(user(fmt.Sprint("u", i)))
	}
	arm := func(text string) {
		t.Helper()
		if err := r.app.SetFaults(text); err != nil {
			t.Fatal(err)
		}
	}
	byName := `userName eq "ada@ex.com"`
	arm("empty-list")
	r.find(200, "/Users", "")
	r.find(200, "/Users", byName, "ada@ex.com")
	r.says(u, "Ada")

	arm("half-list")
	r.find(200, "/Users", "", "ada@ex.com", "u0", "u1")
	r.find(200, "/Users?startIndex=3&count=2", "", "u1")
	r.find(200, "/Users?startIndex=4&count=2", "")
	r.find(200, "/Users", byName, "ada@ex.com")

	arm("blind")
	r.find(200, "/Users", byName)
	r.find(200, "/Users", "", "ada@ex.com", "u0", "u1", "u2", "u3")

	arm("forget")
	r.find(200, "/Users", byName)
	r.find(200, "/Users", "")
	r.want(404, "GET", u, "")
	r.want(404, "PATCH", u, off)
	r.want(404, "DELETE", u, "")
	if n := len(r.state().Users); n != 5 {
		t.Errorf("%d users are left in truth", n)
	}

	arm("html")
	if _, h, raw, err := r.send("GET", u, ""); err != nil || !strings.Contains(raw, "sign in") || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		t.Errorf("html: %v %v %s", err, h, raw)
	}
}

func TestHalfAnswersAndDoubleDelivery(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Faults: "twice"})
	r.want(409, "POST", prefix+"/Users", ada)
	if n := len(r.state().Users); n != 1 {
		t.Fatalf("%d users", n)
	}
	g := prefix + "/Groups"
	r.want(201, "POST", g, group("eng", 0))
	if n := len(r.state().Groups); n != 2 {
		t.Errorf("%d groups of one that was sent", n)
	}
	if err := r.app.SetFaults("cut"); err != nil {
		t.Fatal(err)
	}
	code, _, raw, err := r.send("POST", prefix+"/Users", bob)
	if err == nil || code != 201 || raw == "" || strings.HasSuffix(raw, "}") {
		t.Errorf("cut: %d, %v, %q", code, err, raw)
	}
	if n := len(r.state().Users); n != 2 {
		t.Errorf("%d users: the work was not done", n)
	}
	u := "/Users/" + r.state().Users[1]["id"].(string)
	if code, _, _, err := r.send("DELETE", prefix+u, ""); err == nil {
		t.Errorf("cut without a body: %d", code)
	}
	if n := len(r.state().Users); n != 1 {
		t.Errorf("%d users: the work was not done", n)
	}
}

// TestLiesKeepTheirShare has chance decide: 0.2 is below a half and not below a tenth.
func TestLiesKeepTheirShare(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Random: func() float64 { return 0.2 }, Faults: "empty-list:10%,twice:10%,cut:10%"})
	r.make(ada)
	r.find(200, "/Users", "", "ada@ex.com")
	if err := r.app.SetFaults("empty-list:50%"); err != nil {
		t.Fatal(err)
	}
	r.find(200, "/Users", "")
}
