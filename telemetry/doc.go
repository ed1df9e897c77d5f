// Package telemetry joins what the hub says of itself: each request and each change
// has an id that its log lines, its audit entry and its span carry, and a trace leads
// from an inbound request over the evaluation to the calls at targets, whichever
// replica makes them. It decides what such ids look like, what goes into a span and
// where spans are sent; it refuses to know what a person, a rule or a target is, and
// nothing about a person goes in.
package telemetry
