package conformance

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func errorMutants() []mutant {
	onError := func(f func(m *message)) func(*message) {
		return func(m *message) {
			if m.code >= 400 && m.body != nil {
				f(m)
			}
		}
	}
	return []mutant{
		{name: "numeric status", only: "errors", checks: "errors.status", out: onError(func(m *message) { m.body["status"] = m.code })},
		{name: "no detail", only: "errors", checks: "errors.detail", out: onError(func(m *message) { delete(m.body, "detail") })},
		{name: "error without schema", only: "errors", checks: "errors.body", out: onError(func(m *message) { delete(m.body, "schemas") })},
		{name: "HTML for unknown paths", only: "errors", checks: "errors.body", out: func(m *message) {
			if m.code == 404 && !strings.Contains(m.r.URL.Path, "/Users") {
				m.raw = []byte("<html>not found</html>")
			}
		}},
		{name: "errors as text/plain", only: "errors", checks: "errors.media", out: onError(func(m *message) { m.header.Set("Content-Type", "text/plain") })},
		{name: "invented scimType", only: "errors", checks: "errors.words", out: onError(func(m *message) { m.body["scimType"] = "badThing" })},
		{name: "no Allow", only: "errors", checks: "errors.allow", out: onError(func(m *message) { m.header.Del("Allow") })},
		{name: "no challenge", only: "auth", checks: "auth.challenge", out: onError(func(m *message) { m.header.Del("WWW-Authenticate") })},
		{name: "malformed JSON is 500", only: "errors", checks: "errors.array errors.deep-body errors.empty errors.syntax errors.two-values", out: onError(func(m *message) {
			if m.code == 400 && m.in == nil && m.r.Method == http.MethodPost {
				m.code, m.body["status"] = 500, "500"
			}
		})},
		{name: "400 for unknown ids", only: "read", checks: "read.unknown", out: func(m *message) {
			if m.code == 404 && m.r.Method == http.MethodGet && strings.Contains(m.r.URL.Path, "/Users/scimhub-conformance-") {
				m.code, m.body["status"] = 400, "400"
			}
		}},
	}
}

func resourceMutants() []mutant {
	return []mutant{
		{name: "no Location", only: "create", checks: "create.location", out: func(m *message) { m.header.Del("Location") }},
		{name: "other Location", only: "create", checks: "create.location create.location-meta", out: func(m *message) {
			if m.code == 201 {
				m.header.Set("Location", m.header.Get("Location")+"/")
			}
		}},
		{name: "200 for created", only: "create,http,delete,group,put", checks: "create.group create.user", out: func(m *message) {
			if m.code == 201 {
				m.code = 200
			}
		}},
		{name: "password echoed", only: "resource,create,read", checks: "resource.password", out: func(m *message) {
			if m.in["password"] != nil && m.code == 201 {
				m.body["password"] = m.in["password"]
			}
		}},
		{name: "meta without created", checks: "resource.meta", only: "resource,read,delete", out: func(m *message) {
			m.each(func(r map[string]any) {
				if meta, ok := r["meta"].(map[string]any); ok {
					delete(meta, "created")
				}
			})
		}},
		{name: "times without zone", only: "resource,read", checks: "resource.meta-time", out: func(m *message) {
			m.each(func(r map[string]any) {
				if meta, ok := r["meta"].(map[string]any); ok && meta["created"] != nil {
					meta["created"] = "2026-01-02 03:04:05"
				}
			})
		}},
		{name: "wrong resourceType", only: "resource,read", checks: "resource.meta-type", out: func(m *message) {
			m.each(func(r map[string]any) {
				if meta, ok := r["meta"].(map[string]any); ok {
					meta["resourceType"] = "Users"
				}
			})
		}},
		{name: "relative location", only: "resource,read", checks: "resource.location-absolute resource.content-location", out: func(m *message) {
			m.each(func(r map[string]any) {
				if meta, ok := r["meta"].(map[string]any); ok && meta["location"] != nil {
					meta["location"] = "Users/1"
				}
			})
		}},
		{name: "no schemas", only: "resource,put", checks: "resource.extensions resource.schemas put.echo", out: func(m *message) {
			m.each(func(r map[string]any) { delete(r, "schemas") })
		}},
		{name: "extension not announced", only: "resource,put", checks: "resource.extensions", out: func(m *message) {
			m.each(func(r map[string]any) {
				if r["userName"] != nil && r["schemas"] != nil {
					r["schemas"] = []any{urnUser}
				}
			})
		}},
		{name: "ETag differs", only: "resource,read", checks: "resource.etag", out: func(m *message) {
			if m.header.Get("ETag") != "" {
				m.header.Set("ETag", `W/"other"`)
			}
		}},
		{name: "another media type", only: "http", checks: "http.accept http.accept-none", out: func(m *message) {
			if m.code < 300 {
				m.header.Set("Content-Type", "text/html")
			}
		}},
		{name: "trailing garbage", only: "http,read", checks: "http.json", out: func(m *message) {
			if m.code < 300 && m.body != nil {
				b, _ := json.Marshal(m.body)
				m.raw = append(b, []byte("{}")...)
			}
		}},
	}
}

func listMutants() []mutant {
	onList := func(f func(m *message)) func(*message) {
		return func(m *message) {
			if m.code == 200 && m.body["totalResults"] != nil && !strings.Contains(m.r.URL.Path, "Schemas") && !strings.Contains(m.r.URL.Path, "Types") {
				f(m)
			}
		}
	}
	return []mutant{
		{name: "Resources null", only: "list", checks: "list.resources", out: onList(func(m *message) {
			if l, _ := m.body["Resources"].([]any); len(l) == 0 {
				m.body["Resources"] = nil
			}
		})},
		{name: "totalResults as text", only: "list", checks: "list.response list.count-zero list.count-negative list.start-beyond list.pages list.none", out: onList(func(m *message) {
			m.body["totalResults"] = strconv.Itoa(int(m.body["totalResults"].(float64)))
		})},
		{name: "itemsPerPage is what was asked", only: "list", checks: "list.items", out: onList(func(m *message) { m.body["itemsPerPage"] = 100 })},
		{name: "no startIndex", only: "list", checks: "list.partial list.pages", out: onList(func(m *message) { delete(m.body, "startIndex") })},
		{name: "count ignored", only: "list", checks: "list.count list.count-zero list.count-negative list.pages list.count-text", in: func(m *message) { m.setQuery("count", "") }},
		{name: "count=0 is no limit", only: "list", checks: "list.count-zero", in: func(m *message) {
			if m.r.URL.Query().Get("count") == "0" {
				m.setQuery("count", "")
			}
		}},
		{name: "startIndex ignored", only: "list", checks: "list.start-beyond list.pages list.start-text", in: func(m *message) { m.setQuery("startIndex", "") }},
		{name: "no match is 404", only: "list", checks: "list.none", out: onList(func(m *message) {
			if m.body["totalResults"] == float64(0) && m.r.URL.Query().Has("filter") {
				m.code = 404
			}
		})},
		{name: "lower-case resources", only: "list,resource", checks: "resource.names", out: onList(func(m *message) {
			m.body["resources"] = m.body["Resources"]
			delete(m.body, "Resources")
		})},
		{name: "filter ignored", only: "list", checks: "list.pages list.none", in: func(m *message) { m.setQuery("filter", "") }},
		{name: "inactive hidden", only: "list,read", checks: "list.excluded list.inactive list.pages", out: onList(func(m *message) {
			l, _ := m.body["Resources"].([]any)
			m.body["Resources"] = slices.DeleteFunc(l, func(e any) bool { return e.(map[string]any)["active"] == false })
			m.body["itemsPerPage"] = len(m.body["Resources"].([]any))
		})},
		{name: "texts compared with case", only: "filter", checks: "filter.case-insensitive filter.case-insensitive-text", in: func(m *message) {
			if f := m.r.URL.Query().Get("filter"); strings.Contains(f, "SCIMHUB-CONFORMANCE") || strings.Contains(f, `"APPLE`) {
				m.setQuery("filter", `userName eq "nobody"`)
			}
		}},
		{name: "unknown operator returns everything", only: "filter", checks: "filter.unknown-operator", in: func(m *message) {
			if strings.Contains(m.r.URL.Query().Get("filter"), "regex") {
				m.setQuery("filter", "")
			}
		}},
		{name: "attributes ignored", only: "read,list", checks: "read.attributes read.attributes-sub read.attributes-multi read.attributes-urn read.attributes-extension read.both list.attributes", in: func(m *message) { m.setQuery("attributes", "") }},
		{name: "attributes drops schemas", only: "read", checks: "read.attributes-schemas", out: func(m *message) {
			if m.r.URL.Query().Has("attributes") && m.code == 200 {
				delete(m.body, "schemas")
			}
		}},
	}
}

func writeMutants() []mutant {
	return []mutant{
		{name: "remove with values wipes", only: "patch", checks: "patch.remove-value-array", in: func(m *message) {
			m.operations(func(o map[string]any) {
				if o["op"] == "remove" {
					delete(o, "value")
				}
			})
		}},
		{name: "replace of name by path clears", only: "patch", checks: "patch.replace-complex", in: func(m *message) {
			m.operations(func(o map[string]any) {
				v, _ := o["value"].(map[string]any)
				if o["op"] == "replace" && o["path"] == "name" && v != nil && v["givenName"] == nil {
					v["givenName"] = nil
				}
			})
		}},
		{name: "patch by add appends only", only: "patch,group", checks: "patch.replace-multi patch.pathless-multi group.replace group.pathless patch.empty-list group.replace-none", in: func(m *message) {
			m.operations(func(o map[string]any) {
				_, isList := o["value"].([]any)
				if o["op"] == "replace" && isList {
					o["op"] = "add"
				}
				if v, ok := o["value"].(map[string]any); ok && o["path"] == nil && (v["emails"] != nil || v["members"] != nil) {
					o["op"] = "add"
				}
			})
		}},
		{name: "noTarget is success", only: "patch", checks: "patch.no-target", out: func(m *message) {
			if m.code == 400 && m.body["scimType"] == "noTarget" && len(m.in["Operations"].([]any)) == 1 && m.in["Operations"].([]any)[0].(map[string]any)["op"] == "replace" {
				m.code, m.body = 204, nil
			}
		}},
		{name: "mutability is invalidValue", only: "patch", checks: "patch.read-only-word", out: func(m *message) {
			if m.code == 400 && m.body["scimType"] == "mutability" {
				m.body["scimType"] = "invalidValue"
			}
		}},
		{name: "conflict without word", only: "create,put,patch", checks: "create.conflict put.conflict patch.rename-conflict", out: func(m *message) {
			if m.code == 409 {
				delete(m.body, "scimType")
			}
		}},
		{name: "no conflict by case", only: "create", checks: "create.conflict-case", in: func(m *message) {
			if name, _ := m.in["userName"].(string); strings.HasPrefix(name, "SCIMHUB") {
				m.in["userName"] = "x" + name
			}
		}},
		{name: "client's id is taken for its own", only: "create", checks: "create.own-id", out: func(m *message) {
			if id, ok := m.in["id"].(string); ok && m.code == 201 {
				m.body["id"] = id
			}
		}},
		{name: "unicode is lost", only: "http", checks: "http.unicode", in: func(m *message) {
			if s, ok := m.in["displayName"].(string); ok {
				m.in["displayName"] = strings.Map(func(c rune) rune {
					if c > 0x7f {
						return '?'
					}
					return c
				}, s)
			}
		}},
		{name: "active is always true", only: "create,read,put,patch", checks: "create.inactive read.inactive put.inactive patch.active", out: func(m *message) {
			m.each(func(r map[string]any) {
				if r["active"] != nil {
					r["active"] = true
				}
			})
		}},
		{name: "DELETE is 200", only: "delete", checks: "delete.status delete.not-listed delete.name-free delete.group delete.member", out: func(m *message) {
			if m.code == 204 && m.r.Method == http.MethodDelete {
				m.code, m.raw = 200, []byte("{}")
			}
		}},
		{name: "second DELETE is 204", only: "delete", checks: "delete.again delete.unknown", out: func(m *message) {
			if m.code == 404 && m.r.Method == http.MethodDelete {
				m.code, m.body = 204, nil
			}
		}},
		{name: "If-Match ignored", only: "etag", checks: "etag.stale-put etag.stale-patch etag.stale-delete", in: func(m *message) { m.r.Header.Del("If-Match") }},
		{name: "If-None-Match ignored", only: "etag", checks: "etag.not-modified", in: func(m *message) { m.r.Header.Del("If-None-Match") }},
		{name: "nickName is not stored", only: "attr", checks: "attr.create attr.put attr.patch-add attr.patch-replace attr.select attr.filter attr.all attr.wrong-type", in: func(m *message) {
			delete(m.in, "nickName")
			m.operations(func(o map[string]any) {
				if o["path"] == "nickName" {
					o["path"], o["op"], o["value"] = "title", "replace", "x"
				}
			})
		}},
	}
}

func featureMutants() []mutant {
	return []mutant{
		{name: "sort ignored", only: "sort", checks: "sort.descending sort.sub-attribute sort.missing-first sort.multi-valued sort.name-case sort.extension sort.pages sort.unknown", in: func(m *message) { m.setQuery("sortBy", "") }},
		{name: "bulk status as number", only: "bulk", checks: "bulk.response", out: func(m *message) {
			l, _ := m.body["Operations"].([]any)
			for _, e := range l {
				o := e.(map[string]any)
				if s, ok := o["status"].(string); ok && s == "201" {
					o["status"] = 201
				}
			}
		}},
		{name: "version in a job ignored", only: "bulk", checks: "bulk.version", in: func(m *message) {
			m.operations(func(o map[string]any) { delete(o, "version") })
		}},
		{name: "If-Match ignored when many write", only: "race", checks: "race.if-match", in: func(m *message) { m.r.Header.Del("If-Match") }},
		{name: "simultaneous creates all made", only: "race", checks: "race.create", out: func(m *message) {
			if m.code == 409 && m.r.Method == http.MethodPost {
				m.code = 201
			}
		}},
		{name: "a confirmed change is lost", only: "race", checks: "race.patch", in: func(m *message) {
			m.operations(func(o map[string]any) {
				if o["value"] == "raced" && o["path"] == "title" {
					o["op"] = "remove"
					delete(o, "value")
				}
			})
		}},
		{name: "failOnErrors ignored", only: "bulk", checks: "bulk.stop", in: func(m *message) { delete(m.in, "failOnErrors") }},
		{name: "cursor with padding", only: "cursor", checks: "cursor.alphabet", in: func(m *message) {
			if c := m.r.URL.Query().Get("cursor"); c != "" {
				m.setQuery("cursor", strings.TrimSuffix(c, "="))
			}
			if c, ok := m.in["cursor"].(string); ok {
				m.in["cursor"] = strings.TrimSuffix(c, "=")
			}
		}, out: func(m *message) {
			if c, ok := m.body["nextCursor"].(string); ok {
				m.body["nextCursor"] = c + "="
			}
		}},
		{name: "ServiceProviderConfig lies about bulk", only: "discovery", checks: "discovery.truth-bulk", out: func(m *message) {
			if m.is(http.MethodPost, "/Bulk") {
				m.code, m.body["status"] = 501, "501"
			}
		}},
		{name: "no maxOperations", only: "discovery", checks: "discovery.spc-complete", out: func(m *message) {
			if b, ok := m.body["bulk"].(map[string]any); ok {
				delete(b, "maxOperations")
			}
		}},
		{name: "discovery paginates", only: "discovery", checks: "discovery.parameters", out: func(m *message) {
			if l, ok := m.body["Resources"].([]any); ok && m.r.URL.Query().Get("count") == "1" && strings.HasSuffix(m.r.URL.Path, "s") {
				m.body["Resources"] = l[:min(1, len(l))]
			}
		}},
		{name: "404 for writes to ServiceProviderConfig", only: "discovery", checks: "discovery.read-only-status", out: func(m *message) {
			if m.code == 405 && strings.HasSuffix(m.r.URL.Path, "/ServiceProviderConfig") {
				m.code, m.body["status"] = 404, "404"
			}
		}},
		{name: "DELETE of ServiceProviderConfig", only: "discovery", checks: "discovery.read-only discovery.read-only-status", out: func(m *message) {
			if m.is(http.MethodDelete, "/ServiceProviderConfig") {
				m.code, m.raw = 200, []byte("{}")
			}
		}},
		{name: "a schema is missing", only: "discovery", checks: "discovery.type-schemas", out: func(m *message) {
			if l, ok := m.body["Resources"].([]any); ok && m.is(http.MethodGet, "/Schemas") {
				m.body["Resources"] = slices.DeleteFunc(l, func(e any) bool { return e.(map[string]any)["id"] == urnEnterprise })
			}
		}},
		{name: "bare array of schemas", only: "discovery", checks: "discovery.schemas", out: func(m *message) {
			if m.is(http.MethodGet, "/Schemas") && m.code == 200 {
				m.raw, _ = json.Marshal(m.body["Resources"])
			}
		}},
		{name: "POST without credentials", only: "auth", checks: "auth.required-to-write", in: func(m *message) {
			if m.r.Method == http.MethodPost {
				m.r.Header.Set("Authorization", "Bearer "+testToken)
			}
		}},
		{name: "ServiceProviderConfig is secret", only: "discovery", checks: "discovery.spc-public", out: func(m *message) {
			if m.is(http.MethodGet, "/ServiceProviderConfig") && m.r.Header.Get("Authorization") == "" {
				m.code, m.body = 401, map[string]any{"schemas": []any{urnError}, "status": "401", "detail": "no"}
				m.header.Set("WWW-Authenticate", "Bearer")
			}
		}},
	}
}
