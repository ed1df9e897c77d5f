package scim

import (
	"errors"
	"fmt"

	scimerrors "github.com/elimity-com/scim/errors"
)

// The scimType words of RFC 7644 table 9 and RFC 9865 §2.1.
const (
	InvalidFilter = string(scimerrors.ScimTypeInvalidFilter)
	TooMany       = string(scimerrors.ScimTypeTooMany)
	Uniqueness    = string(scimerrors.ScimTypeUniqueness)
	Mutability    = string(scimerrors.ScimTypeMutability)
	InvalidSyntax = string(scimerrors.ScimTypeInvalidSyntax)
	InvalidPath   = string(scimerrors.ScimTypeInvalidPath)
	NoTarget      = string(scimerrors.ScimTypeNoTarget)
	InvalidValue  = string(scimerrors.ScimTypeInvalidValue)
	InvalidVers   = string(scimerrors.ScimTypeInvalidVersion)
	Sensitive     = string(scimerrors.ScimTypeSensitive)
	InvalidCursor = "invalidCursor"
	ExpiredCursor = "expiredCursor"
	InvalidCount  = "invalidCount"
)

// Error is a SCIM protocol error (RFC 7644 §3.12) as a value: what the client
// did wrong, in words that name the attribute and the rule. Err is the cause for
// the operator's log; it never reaches the client.
type Error struct {
	Status int    // HTTP status
	Type   string // scimType, may be empty
	Detail string
	Err    error
}

// Error renders the message for logs.
func (e *Error) Error() string {
	s := fmt.Sprintf("scim %d %s: %s", e.Status, e.Type, e.Detail)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error; the arguments must hold nothing secret.
func Errorf(status int, scimType, format string, args ...any) *Error {
	return &Error{Status: status, Type: scimType, Detail: fmt.Sprintf(format, args...)}
}

// AsError finds the Error in err's chain.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// cause tells errors of equal words apart, for the code that has to.
type cause string

// Error is the cause in words, for logs.
func (c cause) Error() string { return string(c) }

const (
	causeUnknown cause = "no such attribute"
	causeRefused cause = "an attribute that cannot be asked for"
)

func isUnknown(err error) bool { return errors.Is(err, causeUnknown) }
func isRefused(err error) bool { return errors.Is(err, causeRefused) }
