package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// ParseProfile reads what a profile's file states over base. Fields that the text
// leaves out keep base's value; what is wrong comes as Faults, all at once.
func ParseProfile(file string, text []byte, base model.Profile) (model.Profile, []Fault) {
	root, faults := grow(file, text)
	if len(faults) > 0 {
		return base, faults
	}
	r := &reader{file: file}
	values := map[string]any{}
	known := profileFields(r, values)
	r.fields(root, known)
	if len(r.faults) > 0 {
		return base, SortFaults(r.faults)
	}
	out, err := Override(base, values)
	if err != nil {
		return base, []Fault{{File: file, Line: 1, Column: 1, Message: err.Error()}}
	}
	return out, nil
}

// Override states fields of a profile anew. Mappings are merged, lists replaced.
func Override(base model.Profile, values map[string]any) (model.Profile, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return base, fmt.Errorf("profile: %w", err)
	}
	out := base
	out.Limits, out.Hints = maps.Clone(base.Limits), maps.Clone(base.Hints) // decoding merges into maps in place
	if err := json.Unmarshal(text, &out); err != nil {
		return base, fmt.Errorf("profile: %w", err)
	}
	return out, nil
}

// profileFields are the readers of a profile's fields by name; each puts the value
// that it read, as JSON would hold it, into values.
func profileFields(r *reader, values map[string]any) map[string]func(*node) {
	known := map[string]func(*node){}
	for f := range reflect.TypeFor[model.Profile]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		known[name] = func(n *node) { values[name] = r.typed(n, f.Type, f.Tag) }
	}
	return known
}

// typed reads a node as a Go type would hold it in JSON: structs by their tags,
// lists, maps from text, numbers and texts with their bounds. Nothing at all counts
// as the zero value.
func (r *reader) typed(n *node, t reflect.Type, tag reflect.StructTag) any {
	if n.kind == null && t.Kind() != reflect.Struct {
		return reflect.Zero(t).Interface()
	}
	switch t.Kind() {
	case reflect.Struct:
		values, known := map[string]any{}, map[string]func(*node){}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			known[name] = func(n *node) { values[name] = r.typed(n, f.Type, f.Tag) }
		}
		r.fields(n, known)
		return values
	case reflect.Slice:
		out := []any{}
		r.each(n, func(v *node) { out = append(out, r.typed(v, t.Elem(), tag)) })
		return out
	case reflect.Map:
		return r.typedMap(n, t)
	case reflect.Bool:
		return r.flag(n)
	case reflect.Int:
		return r.bounded(n, tag)
	}
	return r.word(n, tag)
}

func (r *reader) typedMap(n *node, t reflect.Type) any {
	out := map[string]any{}
	if n.kind != object {
		r.fault(n, "must be a mapping, not %s", n.kind)
		return out
	}
	for _, e := range n.entries {
		out[e.key] = r.typed(e.value, t.Elem(), "")
	}
	return out
}

func (r *reader) bounded(n *node, tag reflect.StructTag) int {
	low, high := 0, 1<<31-1
	if v, err := strconv.Atoi(tag.Get("min")); err == nil {
		low = v
	}
	if v, err := strconv.Atoi(tag.Get("max")); err == nil {
		high = v
	}
	return r.integer(n, low, high)
}

// word reads a text that may be empty, unless it has to be one of some words or a filter.
func (r *reader) word(n *node, tag reflect.StructTag) string {
	if words := tag.Get("oneof"); words != "" {
		return r.enum(n, strings.Split(words, ",")...)
	}
	if n.kind != text {
		return r.text(n)
	}
	if tag.Get("form") == "filter" && n.text != "" {
		return r.filter(n)
	}
	return n.text
}

// CheckProfile says what of a profile contradicts itself or cannot be read.
func CheckProfile(p model.Profile) error {
	var errs []error
	if !p.Patch.Supported && !p.Put.Supported {
		errs = append(errs, errors.New("patch.supported and put.supported are both false: nothing could ever be changed"))
	}
	for _, b := range p.Rate.Buckets {
		if len(b.Kinds) == 0 || b.Requests < 1 || b.PerSeconds < 1 {
			errs = append(errs, fmt.Errorf("rate.buckets: %v needs kinds, requests and per_s", b.Kinds))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.Limits)) {
		if err := checkPath(path); err != nil {
			errs = append(errs, fmt.Errorf("attr_limits: %w", err))
		}
	}
	if p.Pending != "" {
		if _, err := scim.ParseFilter(p.Pending); err != nil {
			errs = append(errs, fmt.Errorf("pending: %s", detail(err)))
		}
	}
	return errors.Join(errs...)
}
