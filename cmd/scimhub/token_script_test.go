package main_test

import (
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptWithToken is one SCIM request with a token of its own: TOKEN CODE METHOD PATH [FILE].
func scriptWithToken(ts *testscript.TestScript, args []string) {
	var body []byte
	if len(args) > 4 {
		body = []byte(ts.ReadFile(args[4]))
	}
	code, answer, err := scriptOf(ts).request(args[2], ts.Getenv("HUB")+"/scim/v2"+args[3], args[0], body)
	ts.Check(err)
	_, err = ts.Stdout().Write(answer)
	ts.Check(err)
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("%s %s: %d, want %s", args[2], args[3], code, args[1])
	}
}
