package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the program when it is run by the name scimhub,
// and puts it on PATH by that name: scripts need no build of their own and, with
// -race and -cover, the program is watched and counted as the tests are. TestScale
// runs it by two names more.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scimhub": main, "scimhub-profiled": profiled, "scimhub-light-apps": lightApps})
}
