// Package scim holds SCIM 2.0 as data (RFC 7643, RFC 7644): resources, schemas,
// attribute paths, filters, PATCH, projection and errors. Server and client use
// the same values. It does no I/O, knows no HTTP and no database; everything in
// it is a function of its arguments and safe for concurrent use.
package scim

import (
	"iter"
	"strconv"
	"time"
)

// Message and core schema URNs of RFC 7643 and RFC 7644.
const (
	URNUser               = "urn:ietf:params:scim:schemas:core:2.0:User"
	URNGroup              = "urn:ietf:params:scim:schemas:core:2.0:Group"
	URNEnterprise         = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	URNListResponse       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	URNSearchRequest      = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	URNPatchOp            = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	URNError              = "urn:ietf:params:scim:api:messages:2.0:Error"
	URNServiceProviderCfg = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	URNResourceType       = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	URNSchema             = "urn:ietf:params:scim:schemas:core:2.0:Schema"
)

// Resource is one SCIM resource as its service provider holds it.
//
// Attrs holds everything but id and meta: schemas, externalId, core attributes
// by their schema names, extensions as objects under their URN. Values are
// string, bool, int64, float64, map[string]any and []any; never nil, never an
// empty list or object (RFC 7643 §2.5: unassigned). A Resource handed to or
// returned from a function of this package is never changed in place.
type Resource struct {
	ID    string
	Type  string // name of the resource type: "User", "Group"
	Attrs map[string]any
	Meta  Meta

	// Encoded may hold attributes as one compact JSON object, as a backend keeps
	// them, to be passed on as they are; Attrs then holds only those that are not in
	// it. Only a backend that was asked with Fields.PassOn may use it.
	Encoded []byte
}

// Meta is what the service provider knows about a resource (RFC 7643 §3.1).
// Times have microsecond precision, UTC.
type Meta struct {
	Created      time.Time
	LastModified time.Time
	Version      int64
}

// ETag is the weak entity tag of the version, the text of meta.version and of
// the ETag header (RFC 7644 §3.14).
func (m Meta) ETag() string { return `W/"` + strconv.FormatInt(m.Version, 10) + `"` }

// Query asks for a page of resources of one type: by number (StartIndex), or by
// position (ByCursor), which stays exact while others write.
type Query struct {
	Filter     Filter // bound by Bind; nil means all
	Sort       *Sort  // nil means the backend's own stable order
	StartIndex int    // 1-based, at least 1; 1 with ByCursor
	Count      int    // at least 0; 0 asks only for the total
	Fields     Fields

	// ByCursor asks for the page behind After, and for Page.Next (RFC 9865).
	ByCursor bool
	// After is the Next of an earlier page of the same query; empty for the first.
	// It means something to the backend that made it only, which may find that it
	// is none of its own: 400 invalidCursor.
	After string
}

// Page is the answer to a Query. Total counts all matches, not this page; -1 says
// that the backend did not count, which it may do only for a page with After.
type Page struct {
	Total      int
	StartIndex int
	Resources  []Resource
	Next       string // position behind the last resource; empty on the last page

	// Stream, if set, takes the place of Resources: they are got one by one while the
	// answer is written, and Counted is asked for the total when all have been. An
	// error ends the answer where it is. Only for a query over one type, by number.
	Stream  iter.Seq2[Resource, error]
	Counted func() int
}

// Sort is the order of a list (RFC 7644 §3.4.2.3); resources that are equal in it
// are in the order of their ids. See ResourceType.ParseSort.
type Sort struct {
	Path       Path // bound; brackets are not possible
	Attr       *Attribute
	Descending bool
}

// Change is what a PUT or a PATCH asks to do with a resource: a value, so that
// a backend can apply it inside its own transaction, and again after a conflict.
// Exactly one of Replace and Patch is set.
type Change struct {
	Replace map[string]any // attributes from ResourceType.Decode
	Patch   Patch
	Dialect Dialect
}
