package model

import "errors"

// Code says what kind of failure an Error is; every front translates it once.
type Code string

// The codes. Anything that is not an *Error counts as Internal.
const (
	Invalid      Code = "invalid"      // the input is wrong: HTTP 400, exit 1
	Unauthorized Code = "unauthorized" // nobody we know: 401, exit 1
	Forbidden    Code = "forbidden"    // known, but may not: 403, exit 1
	NotFound     Code = "not_found"    // 404, exit 1
	Conflict     Code = "conflict"     // the world moved or the name is taken: 409, exit 1
	Refused      Code = "refused"      // a guard said no: 409, exit 3
	Unavailable  Code = "unavailable"  // try again later: 503, exit 1
	Internal     Code = "internal"     // our fault: 500, exit 1
)

// Error is the one error type that crosses package borders. Message is for the
// person who asked and says what, where and what to do; Err is for the operator.
type Error struct {
	Code    Code
	Message string
	Err     error
}

// Error renders message and cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail makes an Error.
func Fail(code Code, message string, err error) *Error {
	return &Error{Code: code, Message: message, Err: err}
}

// CodeOf finds the code in err's chain; Internal where there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
