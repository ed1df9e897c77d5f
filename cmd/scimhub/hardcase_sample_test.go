package main_test

import (
	"encoding/json"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// writable writes an attribute by PATCH and reads it back equal; then it is removed,
// unless it is required.
func (h *hard) writable(target, urn string, attribute map[string]any, user string) {
	h.Helper()
	name := text(attribute, "name")
	if name == "schemas" || name == "id" || name == "meta" {
		return
	}
	sample := sampleOf(attribute, user)
	path := urn + ":" + name
	operation, err := json.Marshal(map[string]any{"op": "replace", "path": path, "value": sample})
	if err != nil {
		h.Fatal(err)
	}
	h.patch(dueFine, target, "%s", operation)
	read := func() any {
		doc := h.get(target).doc
		if urn == enterpriseURN {
			doc, _ = doc[urn].(map[string]any)
		}
		return doc[name]
	}
	got := withoutAdditions(read(), sample)
	if text(attribute, "returned") == "never" {
		sample = nil
	}
	if diff := cmp.Diff(sample, got); diff != "" {
		h.Errorf("%s is read back otherwise (-written +read):\n%s", path, diff)
	}
	if attribute["required"] == true || name == "displayName" && strings.HasPrefix(target, "/Groups") {
		h.patch(due{400, "mutability"}, target, `{"op":"remove","path":%q}`, path)
		return
	}
	h.patch(dueFine, target, `{"op":"remove","path":%q}`, path)
	if got := read(); got != nil {
		h.Errorf("%s is still %v after its removal", path, got)
	}
}

// sampleOf makes a value of the type that an attribute is advertised with.
func sampleOf(attribute map[string]any, user string) any {
	var v any
	name := text(attribute, "name")
	switch text(attribute, "type") {
	case "boolean":
		v = true
	case "integer", "decimal":
		v = float64(7)
	case "dateTime":
		v = "2026-05-06T07:08:09Z"
	case "binary":
		v = "AAECAw=="
	case "reference":
		v = "https://example.com/" + name
	case "complex":
		o := map[string]any{}
		subs, _ := attribute["subAttributes"].([]any)
		for _, s := range subs {
			sub := s.(map[string]any)
			if m := text(sub, "mutability"); m == "readOnly" || text(sub, "name") == "$ref" {
				continue
			}
			o[text(sub, "name")] = sampleOf(sub, user)
		}
		switch name {
		case "manager":
			o["value"] = user
		case "members":
			o = map[string]any{"value": user, "type": "User"}
		case "x509Certificates":
			o["value"] = sampleCertificate
		}
		v = o
	default:
		v = sampleText(attribute)
	}
	if attribute["multiValued"] == true {
		return []any{v}
	}
	return v
}

func sampleText(attribute map[string]any) string {
	if words, _ := attribute["canonicalValues"].([]any); len(words) > 0 {
		return words[0].(string)
	}
	switch name := text(attribute, "name"); name {
	case "country":
		return "BE"
	case "locale", "preferredLanguage":
		return "nl-BE"
	case "timezone":
		return "Europe/Brussels"
	default:
		return "a " + name
	}
}

// withoutAdditions takes away what a server may add to a written value: names and
// addresses of what it refers to.
func withoutAdditions(got, written any) any {
	switch g := got.(type) {
	case []any:
		w, _ := written.([]any)
		if len(g) != 1 || len(w) != 1 {
			return got
		}
		return []any{withoutAdditions(g[0], w[0])}
	case map[string]any:
		w, _ := written.(map[string]any)
		out := map[string]any{}
		for k, v := range g {
			if _, sent := w[k]; sent || k != "$ref" && k != "display" && k != "displayName" {
				out[k] = v
			}
		}
		return out
	}
	return got
}

// sampleCertificate is a certificate that nobody uses, DER in base64.
const sampleCertificate = "MIIBeTCCAR+gAwIBAgIUE3LZIsbKiLzGrv49p1rhXR7zULIwCgYIKoZIzj0EAwIwETEPMA0GA1UEAwwGc2FtcGxlMCAXDTI2MTEyMzAxMjU0" +
	"NloYDzIxMjYxMDMwMDEyNTQ2WjARMQ8wDQYDVQQDDAZzYW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASwYVKlKyKGxmfyuh8fr743P5m0xVedNFPRR8U3" +
	"7TjJU7Bxy2DU8sc/MntIRkKtQPYzt0bkwAxxlgBm8+TYOcSAo1MwUTAdBgNVHQ4EFgQUgxR80C7pB3qGA4Vpkba00XYzgJwwHwYDVR0jBBgwFoAUgxR80C7pB3qG" +
	"A4Vpkba00XYzgJwwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAovGXL7rxG0RtfKE1I7IA/VvV7ZKVtRwnuJ5LaMFyxQ0CIEjmcZVM9nzrAVtQ" +
	"qvMJxUXawCbyLFGY/x2NZQNEegGb"
