// Package conformance is for checks that look at a SCIM service from outside, as
// its clients do, and for services to try clients on: package app in it simulates
// applications with the habits and faults of real ones.
package conformance
