package fanout

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// survive runs fn and turns a panic into an error: one bad object, and the fault of
// this program that it brings out, ends neither the process nor the work on others.
func survive(log *slog.Logger, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic", "panic", p, "stack", string(debug.Stack()))
			err = &ClientError{Class: Invalid, Detail: fmt.Sprintf("internal error: %v", p)}
		}
	}()
	return fn()
}
