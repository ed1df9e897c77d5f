package scim

import (
	"net/url"
	"slices"
	"strings"
)

// BulkRequest is a job of many operations (RFC 7644 §3.7).
type BulkRequest struct {
	FailOnErrors int // stop after so many errors; 0 means never
	Operations   []BulkOperation
}

// BulkOperation is one operation of a Bulk job. Err holds what is wrong with the
// operation itself, an *Error 400; the job goes on without it. The other fields
// are then as far as they could be read.
type BulkOperation struct {
	Method  string // POST, PUT, PATCH, DELETE
	BulkID  string // what the client calls the operation; always there for POST
	Path    string // "/Users", "/Users/id"; the id may be a reference "bulkId:x"
	Version string // entity tag as in If-Match, may be empty
	Data    []byte // the JSON object as it was sent; nil for DELETE
	Err     error
}

// bulkPrefix begins a value that stands for the id of a resource that another
// operation of the same job makes.
const bulkPrefix = "bulkId:"

// ParseBulk reads the body of a POST to /Bulk. Only a fault of the message as a
// whole is an error: an *Error 400 invalidSyntax or invalidValue, 413 beyond
// MaxOperations operations. A fault of one operation is that operation's Err: an
// unknown method, a POST without bulkId, a bulkId that an earlier operation has,
// a path that is not /Endpoint (POST) or /Endpoint/id (others), missing data.
func ParseBulk(body []byte, d Dialect) (BulkRequest, error) {
	o, err := parseBody(body, &d)
	if err != nil {
		return BulkRequest{}, err
	}
	if err := checkMessage(o, URNBulkRequest, &d); err != nil {
		return BulkRequest{}, err
	}
	var req BulkRequest
	if v, _ := o.get("failOnErrors"); v != nil {
		n, ok := v.(int64)
		if !ok || n < 0 || int64(int(n)) != n {
			return BulkRequest{}, Errorf(400, InvalidValue, "failOnErrors: must be an integer of at least 0")
		}
		req.FailOnErrors = int(n)
	}
	list, err := operationList(o, &d)
	if err != nil {
		return BulkRequest{}, err
	}
	source := trimBOM(string(body))
	req.Operations = make([]BulkOperation, len(list))
	taken := make(map[string]bool, len(list))
	for i, v := range list {
		op := bulkOperation(source, v, &d)
		if op.Err == nil && op.BulkID != "" && taken[op.BulkID] {
			op.Err = Errorf(400, InvalidValue, "bulkId: %q is that of an earlier operation", op.BulkID)
		}
		if op.Err == nil && op.BulkID != "" {
			taken[op.BulkID] = true
		}
		req.Operations[i] = op
	}
	return req, nil
}

func bulkOperation(source string, v any, d *Dialect) BulkOperation {
	o, ok := v.(object)
	if !ok {
		return BulkOperation{Err: Errorf(400, InvalidSyntax, "an operation must be an object")}
	}
	var op BulkOperation
	var faults []error
	var data any
	for _, m := range o {
		var err error
		switch strings.ToLower(m.name) {
		case "method":
			op.Method, err = text(m)
		case "bulkid":
			op.BulkID, err = text(m)
		case "path":
			op.Path, err = text(m)
		case "version":
			op.Version, err = text(m)
		case "data":
			data = m.value
			op.Data = []byte(source[m.start:m.end])
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		op.Err = faults[0]
		return op
	}
	op.Err = op.check(data, d)
	if op.Method == "DELETE" {
		op.Data = nil
	}
	return op
}

func (o *BulkOperation) check(data any, d *Dialect) error {
	upper := strings.ToUpper(o.Method)
	known := slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, upper)
	if !known || upper != o.Method && !d.use(d.OpCase, FlagOpCase) {
		return Errorf(400, InvalidSyntax, "method: must be POST, PUT, PATCH or DELETE")
	}
	o.Method = upper
	if o.Method == "POST" && o.BulkID == "" {
		return Errorf(400, InvalidSyntax, "bulkId: is required for POST")
	}
	_, id, ok := splitTarget(o.Path)
	switch {
	case o.Path == "":
		return Errorf(400, InvalidSyntax, "path: is required")
	case !ok || o.Method == "POST" && id != "" || o.Method != "POST" && id == "":
		if o.Method == "POST" {
			return Errorf(400, InvalidValue, `path: must be an endpoint such as "/Users"`)
		}
		return Errorf(400, InvalidValue, `path: must name a resource, such as "/Users/id"`)
	}
	if o.Method == "DELETE" {
		return nil
	}
	if _, ok := data.(object); !ok {
		return Errorf(400, InvalidSyntax, "data: must be an object, which %s needs", o.Method)
	}
	return nil
}

// Target is the endpoint ("/Users") and the id, not escaped, that the operation is
// about. The id is empty for POST, and where Err is set both may be.
func (o BulkOperation) Target() (endpoint, id string) {
	endpoint, id, _ = splitTarget(o.Path)
	return endpoint, id
}

// PathReference is the bulkId that stands in the path for the id of a resource.
// Unlike those of References it cannot be put off: the operation it names has to
// come first.
func (o BulkOperation) PathReference() (bulkID string, ok bool) {
	_, id := o.Target()
	return strings.CutPrefix(id, bulkPrefix)
}

// References are the bulkIds that Data names: each string value, at any depth, that
// is "bulkId:" and a name. Each is listed once, in order.
func (o BulkOperation) References() []string {
	var out []string
	seen := map[string]bool{} // a body has room for hundreds of thousands
	eachReference(o.Data, func(_, _ int, name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	})
	return out
}

// Resolve puts ids in the place of the references in Data and Path: whole string
// values only, never parts of one. Those that ids does not hold stay.
func (o BulkOperation) Resolve(ids map[string]string) BulkOperation {
	if name, ok := o.PathReference(); ok {
		if id, ok := ids[name]; ok {
			endpoint, _ := o.Target()
			o.Path = endpoint + "/" + url.PathEscape(id)
		}
	}
	var out []byte
	from := 0
	eachReference(o.Data, func(start, end int, name string) {
		id, ok := ids[name]
		if !ok {
			return
		}
		out = append(out, o.Data[from:start]...)
		out = appendQuoted(out, id)
		from = end
	})
	if from > 0 {
		o.Data = append(out, o.Data[from:]...)
	}
	return o
}

// eachReference calls yield with each string value of JSON text that is a
// reference: where it begins and ends, quotes included, and the bulkId.
func eachReference(data []byte, yield func(start, end int, name string)) {
	s := string(data)
	for i := 0; i < len(s); {
		if s[i] != '"' {
			i++
			continue
		}
		value, next, fault := scanString(s, i)
		if fault != "" {
			return
		}
		after := next
		for after < len(s) && isSpace(s[after]) {
			after++
		}
		isName := after < len(s) && s[after] == ':'
		if name, ok := strings.CutPrefix(value, bulkPrefix); ok && name != "" && !isName {
			yield(i, next, name)
		}
		i = next
	}
}
