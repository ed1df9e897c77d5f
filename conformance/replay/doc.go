// Package replay plays recorded SCIM traffic of identity providers against a
// server, over real HTTP and to the letter of the recording, and says what the
// server answered otherwise than the provider needs. It knows nothing of the server
// but its address.
//
// A recording is a text that is meant to be read:
//
//	# What and why; a line that begins with # says nothing to the player.
//	title Okta, an application made by the wizard
//	dialects okta lenient
//	needs pathless_patch
//	header User-Agent: Okta SCIM Client 1.0.0
//
//	== Create a person
//	POST /Users
//	Content-Type: application/scim+json; charset=utf-8
//
//	{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "mira"}
//
//	-> 201
//	Location: {{base}}/Users/{{mira}}
//
//	{"id": "{{mira=}}", "userName": "mira", "password": "{{absent}}"}
//
// First come title, dialects (those of the hub under which the provider must be
// served), the tolerances of scim.Flags that it needs for that, if any, and header
// lines, which every request carries. Then steps: a title, an
// optional line "repeat N", the request as it is sent ({{n}} counts the
// repetitions from 1), and after "->" the status, headers and body that are due. A
// header without a value takes one of the common ones away. Targets begin below the
// base address and are sent byte for byte, with every stray "?" and "+". With
// "-> 204 or 200" the second status will do as well, whatever comes with it.
//
// The body that is due is JSON, or "(empty)", or missing where it does not matter.
// An object matches one that has at least its members; a list matches one with as
// many elements in any order, and each takes the first element left that fits.
// Texts may hold
//
//	{{name}}       what a step before has captured
//	{{base}}       the base address
//
// and be, as a whole,
//
//	{{name=}}      whatever is there, captured
//	{{any}}        whatever is there
//	{{absent}}     not there, null or an empty list, which is the same (RFC 7643 §2.5)
//	{{not name}}   something else than was captured
//
// The member "{{only}}": true of an object allows no members but those named. As
// first element of a list, "{{some}}" allows other elements too, and "{{ordered}}"
// wants the elements in this order.
package replay
