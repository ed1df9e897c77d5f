// Package conformance looks at a SCIM service from outside, as its clients do. [Run]
// sends requests to any service provider, over HTTP only, and reports where it
// departs from RFC 7643, RFC 7644 and RFC 9865, or from what one kind of client (a
// profile) relies on. It changes and removes only what it made itself.
//
// A check is a function of a probe. The probe is sticky: after the first finding it
// sends nothing and records nothing more, so that checks read as straight lines. A
// check may instead watch every answer of the run: what must hold of all error
// bodies, say, is said once.
//
// The packages below it serve the same end from the other side: package app
// simulates applications with the habits and faults of real ones.
package conformance
