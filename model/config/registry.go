package config

import (
	"errors"

	"github.com/scimhub/scimhub/model/scim"
)

// registry builds what the service provider offers from the files that the
// configuration names. Faults in a file stand at the place that names it.
func (r *reader) registry(root *node, files map[string]attachment) *scim.Registry {
	standard := scim.DefaultRegistry()
	faults := len(r.faults)
	schemas := readFiles(r, root.get("schemas"), files, scim.ParseSchemas)
	types := readFiles(r, root.get("resource_types"), files, scim.ParseResourceTypes)
	if len(schemas)+len(types) == 0 || len(r.faults) > faults {
		return standard
	}
	own, err := scim.BuildRegistry(schemas, types)
	if err != nil {
		at := root.get("resource_types")
		if at == nil {
			at = root.get("schemas")
		}
		r.schemaFaults(at, "", err)
		return standard
	}
	return own
}

// readFiles parses the files that a list names.
func readFiles[T any](r *reader, names *node, files map[string]attachment, parse func([]byte) ([]T, error)) []T {
	if names == nil {
		return nil
	}
	var out []T
	for _, n := range names.items {
		f, ok := files[n.text]
		switch {
		case n.kind != text:
			continue // said already
		case !ok:
			r.fault(n, "%s: is not attached to the text", n.text)
			continue
		case f.Fault != "":
			r.fault(n, "%s: %s", n.text, f.Fault)
			continue
		}
		list, err := parse([]byte(f.Text))
		if err != nil {
			r.schemaFaults(n, n.text+":", err)
		}
		out = append(out, list...)
	}
	return out
}

func (r *reader) schemaFaults(n *node, file string, err error) {
	list, ok := errors.AsType[scim.SchemaFaults](err)
	if !ok {
		r.fault(n, "%s%v", file, err)
	}
	for _, f := range list {
		r.fault(n, "%s%s", file, f)
	}
}

// get is the value of a key of a mapping; nil if there is none.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}
