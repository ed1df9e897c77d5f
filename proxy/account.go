package proxy

import (
	"encoding/json"
	"errors"
	"hash/fnv"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// shown is what an application shows of a resource, as the proxy's clients see it:
// names as the schema writes them, values of the kinds that it knows, meta read apart.
func shown(t *scim.ResourceType, id string, doc map[string]any) scim.Resource {
	r := scim.Resource{ID: id, Type: t.Name, Attrs: map[string]any{}}
	for name, v := range doc {
		if v = ofKind(v); v == nil {
			continue
		}
		switch strings.ToLower(name) {
		case "id":
		case "meta":
			r.Meta = metaOf(v)
		case "schemas":
			r.Attrs["schemas"] = v
		default:
			if a, ok := t.Attribute(name); ok {
				name = a.Name
			}
			r.Attrs[name] = v
		}
	}
	r.Meta.Version = versionOf(r)
	return r
}

// versionOf tells states of a resource apart: the application's own dates may be whole
// seconds, and many a change fits into one. Members count by the date alone, for there
// may be any number of them, and they are not always asked for.
func versionOf(r scim.Resource) int64 {
	attrs := make(map[string]any, len(r.Attrs))
	for name, v := range r.Attrs {
		if name != "members" && name != "groups" {
			attrs[name] = v
		}
	}
	text, err := json.Marshal(attrs) // sorts the names
	if err != nil {
		return r.Meta.LastModified.UnixMicro()
	}
	sum := fnv.New64a()
	_, _ = sum.Write(text) // never fails
	return (r.Meta.LastModified.UnixMicro() ^ int64(sum.Sum64()&math.MaxInt64)) & math.MaxInt64
}

// ofKind turns decoded JSON into the kinds of values that resources have; nil for
// what says nothing.
func ofKind(v any) any {
	switch n := v.(type) {
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return i
		}
		f, _ := n.Float64()
		return f
	case []any:
		var out []any
		for _, e := range n {
			if e = ofKind(e); e != nil {
				out = append(out, e)
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range n {
			if e = ofKind(e); e != nil {
				out[k] = e
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	return v
}

func metaOf(v any) (m scim.Meta) {
	doc, _ := v.(map[string]any)
	for name, e := range doc {
		text, _ := e.(string)
		at, err := time.Parse(time.RFC3339Nano, text)
		switch {
		case err != nil:
		case strings.EqualFold(name, "created"):
			m.Created = at
		case strings.EqualFold(name, "lastModified"):
			m.LastModified = at
		}
	}
	return m
}

// account is a User's attributes as the fan-out's client writes them: each attribute
// whole, those of extensions by their full names.
func account(attrs map[string]any) model.Account {
	a := model.Account{Active: true, Attrs: map[string]any{}}
	for name, v := range attrs {
		switch strings.ToLower(name) {
		case "username":
			a.UserName, _ = v.(string)
		case "active":
			a.Active, _ = v.(bool)
		case "schemas", "groups", "id", "meta", "password":
		default:
			extension, isMap := v.(map[string]any)
			if !isMap || !strings.HasPrefix(strings.ToLower(name), "urn:") {
				parts(a.Attrs, name, v)
				continue
			}
			for sub, e := range extension {
				parts(a.Attrs, name+":"+sub, e)
			}
		}
	}
	return a
}

// parts takes complex values apart: a PATCH that replaces one leaves alone what it does
// not name (RFC 7644 §3.5.2.3), so what goes away has to be named.
func parts(attrs map[string]any, path string, v any) {
	m, nested := v.(map[string]any)
	if !nested {
		attrs[path] = v
		return
	}
	for sub, e := range m {
		if sub != "$ref" {
			parts(attrs, path+"."+sub, e)
		}
	}
}

// translated is a target's refusal as the proxy's client is told it.
func translated(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := scim.AsError(err); ok {
		return err
	}
	if e, ok := errors.AsType[*fanout.ClientError](err); ok {
		return ofClass(e)
	}
	if e, ok := modelError(err); ok && e.Code == model.Forbidden {
		return scim.Errorf(http.StatusForbidden, "", "%s", e.Message)
	}
	return err
}

func modelError(err error) (*model.Error, bool) { return errors.AsType[*model.Error](err) }
