package scim

// Limits on filter and path texts; beyond them the answer is invalidFilter or
// invalidPath, so that no input costs more than it should.
const (
	MaxFilterLength = 8 << 10 // bytes
	MaxFilterDepth  = 50      // nested parentheses, brackets and nots
	MaxFilterTerms  = 200     // comparisons
)

// Op is a comparison operator of RFC 7644 §3.4.2.2, in lower case.
type Op string

// The operators. Present is a node of its own.
const (
	Eq Op = "eq"
	Ne Op = "ne"
	Co Op = "co"
	Sw Op = "sw"
	Ew Op = "ew"
	Gt Op = "gt"
	Ge Op = "ge"
	Lt Op = "lt"
	Le Op = "le"
)

// Filter is a node of a filter: And, Or, Not, Compare, Present, ValuePath, None.
// ParseFilter makes an unbound tree; Bind resolves it against a resource type.
// A bound tree has two interpreters that must agree: Match here and the
// translation to SQL in model/store.
type Filter interface {
	// Match evaluates the bound filter against a search document
	// (ResourceType.SearchDoc) or, inside a ValuePath, against one element of it.
	Match(doc map[string]any) bool
	// String renders the filter in the RFC's grammar.
	String() string
}

// And holds if all terms hold; it has at least two.
type And struct{ Terms []Filter }

// Or holds if any term holds; it has at least two.
type Or struct{ Terms []Filter }

// Not holds if its term does not.
type Not struct{ Term Filter }

// Compare holds if a value at Path stands in relation Op to Value.
//
// Unbound, Value is string, bool, int64, float64 or nil (null). Bound, Value has
// the form that the search document has (see SearchDoc), and Attr is set.
// A value that is absent: true for `ne` a value and for `eq null`, else false.
// A multi-valued path: true if any element's value stands in the relation; with
// no such value as if absent. `ne null` means present.
type Compare struct {
	Path  Path
	Op    Op
	Value any
	Attr  *Attribute // the attribute compared, after Bind
}

// Present holds if Path has at least one non-empty value (`pr`).
type Present struct {
	Path Path
	Attr *Attribute
}

// ValuePath holds if any one element of the attribute at Path (which has no Sub
// and no Filter of its own) satisfies Term, whose paths are relative to the element.
// `emails[type eq "work"].value eq "x"` becomes emails[type eq "work" and value eq "x"].
// A complex attribute that is not multi-valued counts as one element. For elements
// that are not complex (a multi-valued string) the path "value" means the element.
type ValuePath struct {
	Path Path
	Term Filter
	Attr *Attribute
}

// None holds for nothing. A search over several resource types has it in the place
// of a test on an attribute that one of them does not define (RFC 7644 §3.4.2.1).
// ParseFilter never makes it.
type None struct{}

// Path is an attribute path (RFC 7644 §3.4.2.2, §3.5.2):
// [URI:]Attr[Filter].Sub.
//
// Unbound it is as written. Bound (by Bind or ResourceType.Resolve) URI is empty
// for core and common attributes and the extension's URN in its defined case
// otherwise; Attr and Sub have the schema's case; Attr is empty where the path
// names a whole extension.
type Path struct {
	URI    string
	Attr   string
	Filter Filter
	Sub    string
}
