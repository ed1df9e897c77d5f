// Package hub is every write to the hub's own data: resources as sources push them,
// the identities they merge into, requests, approvals and the audit trail, each in
// one transaction with the marks that follow from it. It decides who somebody is; it
// refuses to know which roles follow (policy) and how a target is told (fanout).
package hub
