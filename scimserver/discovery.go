package scimserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// mountDiscovery adds the read-only endpoints of RFC 7644 §4. Only
// ServiceProviderConfig is for everybody: a client learns there how to authenticate
// (RFC 7643 §5).
func (h *Handler) mountDiscovery(route func(path, resource string, m methods) *endpoint) {
	catalogue := h.catalogue()
	one := func(a action) methods { return methods{http.MethodGet: unfiltered(a)} }
	route("/ServiceProviderConfig", "ServiceProviderConfig", one(h.serviceProviderConfig)).anonymous = true
	route("/ResourceTypes", "ResourceTypes", one(allOf(h.renderTypes)))
	route("/ResourceTypes/{id:[^/]+}", "ResourceTypes", one(oneOf("resource type", h.renderTypes)))
	schemas := func(base string) []any { return renderSchemas(catalogue, base) }
	route("/Schemas", "Schemas", one(allOf(schemas)))
	route("/Schemas/{id:[^/]+}", "Schemas", one(oneOf("schema", schemas)))
}

// unfiltered refuses a filter on discovery, and ignores every other parameter
// (RFC 7644 §4).
func unfiltered(a action) action {
	return func(x *exchange) (reply, error) {
		p, err := parseParams(x.r.URL.RawQuery)
		if p.filter != "" || err != nil && p.filterFault(err) {
			return reply{}, scim.Errorf(http.StatusForbidden, "", "filter: discovery endpoints cannot be filtered")
		}
		return a(x)
	}
}

// filterFault reports whether a query could not be read because of its filter.
func (params) filterFault(err error) bool {
	e, ok := scim.AsError(err)
	return ok && e.Type == scim.InvalidFilter
}

func allOf(render func(base string) []any) action {
	return func(x *exchange) (reply, error) {
		return reply{status: http.StatusOK, body: listOf(render(x.base))}, nil
	}
}

// oneOf finds a discovery object by id, without regard to case: schema URNs
// compare so (RFC 7644 §3.10). Proxies and clients percent-encode their colons,
// some of them twice.
func oneOf(what string, render func(base string) []any) action {
	return func(x *exchange) (reply, error) {
		id := pathValue(x.r, "id")
		if plain, err := url.PathUnescape(id); err == nil {
			id = plain
		}
		for _, o := range render(x.base) {
			if m := o.(map[string]any); strings.EqualFold(m["id"].(string), id) {
				return reply{status: http.StatusOK, body: m}, nil
			}
		}
		return reply{}, scim.Errorf(http.StatusNotFound, "", "there is no %s %q", what, clip(id))
	}
}

// serviceProviderConfig says what works here and what does not (RFC 7643 §5, RFC
// 9865 §4).
func (h *Handler) serviceProviderConfig(x *exchange) (reply, error) {
	supported := func(on bool) map[string]any { return map[string]any{"supported": on} }
	return reply{status: http.StatusOK, body: map[string]any{
		"schemas":        []string{scim.URNServiceProviderCfg},
		"patch":          supported(!h.NoPatch),
		"bulk":           map[string]any{"supported": !h.NoBulk, "maxOperations": h.MaxBulkOperations, "maxPayloadSize": h.MaxBulkBody},
		"filter":         map[string]any{"supported": true, "maxResults": h.MaxPage},
		"changePassword": supported(h.StoresPasswords),
		"sort":           supported(!h.NoSort),
		"etag":           supported(true),
		"pagination": map[string]any{
			"cursor": !h.NoCursor, "index": true, "defaultPaginationMethod": "index",
			"defaultPageSize": h.DefaultPage, "maxPageSize": h.MaxPage, "cursorTimeout": int(h.cursors.life.Seconds()),
		},
		"authenticationSchemes": schemesJSON(h.AuthenticationSchemes()),
		"meta":                  discoveryMeta("ServiceProviderConfig", x.base+"/ServiceProviderConfig"),
	}}, nil
}

// bearerOnly is the way in where nothing else is said.
func bearerOnly() []Scheme { return Credentials{}.Schemes() }

func schemesJSON(list []Scheme) []any {
	out := make([]any, 0, len(list))
	for _, s := range list {
		m := map[string]any{"type": s.Type, "name": s.Name, "description": s.Description}
		if s.SpecURI != "" {
			m["specUri"] = s.SpecURI
		}
		if s.Primary {
			m["primary"] = true
		}
		out = append(out, m)
	}
	return out
}

func discoveryMeta(kind, location string) map[string]any {
	return map[string]any{"resourceType": kind, "location": location}
}

// renderTypes lists the resource types (RFC 7643 §6).
func (h *Handler) renderTypes(base string) []any {
	out := make([]any, 0, len(h.Registry.Types))
	for _, t := range h.Registry.Types {
		out = append(out, t.JSON(base))
	}
	return out
}

// catalogue is every schema a client can meet: those of the resource types, and
// those of the discovery endpoints themselves (RFC 7643 §8.7.2).
func (h *Handler) catalogue() []*scim.Schema {
	return append(h.Registry.Schemas(), serviceSchemas()...)
}

func renderSchemas(schemas []*scim.Schema, base string) []any {
	out := make([]any, 0, len(schemas))
	for _, s := range schemas {
		out = append(out, s.JSON(base))
	}
	return out
}
