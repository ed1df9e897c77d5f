package app

import (
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// filterFault says why the application does not take a filter; nil: it does.
func (p Profile) filterFault(t *scim.ResourceType, f scim.Filter) *scim.Error {
	if f == nil {
		return nil
	}
	attrs := p.UserFilters
	if t.Name != "User" {
		attrs = p.GroupFilters
	}
	shape := filterShape{}
	shape.look(f)
	refuse := func(text string) *scim.Error {
		return scim.Errorf(http.StatusBadRequest, scim.InvalidFilter, "filter: %s", text)
	}
	switch {
	case p.MaxFilterNodes > 0 && shape.nodes > p.MaxFilterNodes:
		return refuse("INVALID_FILTER: too many nodes")
	case p.Compound == "none" && (shape.comparisons > 1 || shape.not):
		return refuse("one comparison is possible here")
	case p.Compound == "and" && (shape.or || shape.not):
		return refuse("comparisons can be joined by and only")
	}
	for _, op := range shape.ops {
		if p.FilterOps != nil && !slices.Contains(p.FilterOps, op) {
			return refuse(op + " is not possible here; possible: " + strings.Join(p.FilterOps, ", "))
		}
	}
	for _, attr := range shape.attrs {
		if attrs != nil && !slices.Contains(attrs, attr) {
			return refuse(attr + " is not possible here; possible: " + strings.Join(attrs, ", "))
		}
	}
	return nil
}

// filterShape is what a filter consists of.
type filterShape struct {
	nodes       int // comparisons, and what joins them by twos
	comparisons int
	or, not     bool
	ops         []string
	attrs       []string // outermost names
}

func (s *filterShape) look(f scim.Filter) {
	switch f := f.(type) {
	case scim.And:
		s.join(f.Terms)
	case scim.Or:
		s.or = true
		s.join(f.Terms)
	case scim.Not:
		s.nodes++
		s.not = true
		s.look(f.Term)
	case scim.Compare:
		s.leaf(f.Path, string(f.Op))
	case scim.Present:
		s.leaf(f.Path, "pr")
	case scim.ValuePath:
		s.nodes++
		inner := filterShape{}
		inner.look(f.Term)
		s.nodes += inner.nodes
		s.comparisons += inner.comparisons
		s.or, s.not = s.or || inner.or, s.not || inner.not
		s.ops = append(s.ops, inner.ops...)
		s.attrs = append(s.attrs, named(f.Path))
	}
}

func (s *filterShape) join(terms []scim.Filter) {
	s.nodes += len(terms) - 1
	for _, t := range terms {
		s.look(t)
	}
}

func (s *filterShape) leaf(p scim.Path, op string) {
	s.nodes++
	s.comparisons++
	s.ops = append(s.ops, op)
	s.attrs = append(s.attrs, named(p))
}

// named is the outermost name of a path.
func named(p scim.Path) string {
	if p.URI != "" && !strings.EqualFold(p.URI, scim.URNUser) && !strings.EqualFold(p.URI, scim.URNGroup) {
		return p.URI + ":" + p.Attr
	}
	return p.Attr
}
