// Package scimhub is the root of a SCIM 2.0 identity hub and proxy. It holds no
// code, only this map and the test that keeps it true.
//
// A source (an HR system, an identity provider) pushes Users and Groups; rules
// turn a person's attributes into roles; roles become the accounts and group
// memberships each target application should hold; a worker per target makes it
// so over SCIM and keeps it so. One way through:
//
//	source ──SCIM──▶ scimserver   authenticate, dialect, validate, PATCH
//	                 hub          resource + event + audit + mark, one transaction
//	                 policy       roles of one person, with every reason
//	                 fanout       desired → plan → guard → apply → settle ──SCIM──▶ target
//
// The folders, in the order in which they build on each other:
//
//	model/scim     SCIM 2.0 as data: resource, schema, path, filter, patch, error
//	model          the nouns of the hub; no I/O
//	model/config   the configuration document, read strictly
//	model/rows     rows of HR systems: CSV and JSON lines
//	model/store    SQL on SQLite and PostgreSQL: migrations, filters, marks, leases
//	policy         which roles, and why
//	scimserver     SCIM 2.0 over HTTP for any Backend; knows model/scim alone
//	conformance    black-box checks for any SCIM server; simulated applications
//	fanout         the only code that writes to a target
//	proxy          a target as a plain SCIM service provider, for clients
//	hub            every write to the hub's own data
//	admin          the operators' API and console
//	cmd/scimhub    the program; the only place that wires packages together
//
// Imports point one way, from the bottom of this list to its top. The table in
// architecture_test.go says exactly who may import whom. hub and fanout never
// import each other: they meet in the store.
package scimhub
