package conformance

import (
	"fmt"
	"strings"
)

// certificate is a self-signed certificate of example.com, in DER, base64 (RFC 7643
// §4.1.2 wants exactly one such).
const certificate = "MIIBgzCCASmgAwIBAgIUWggHu4+VI471Ky07ShfzIwoQucAwCgYIKoZIzj0EAwIwFjEUMBIGA1UEAwwLZXhhbXBsZS5jb20wIBcNMjYx" +
	"MTIzMDExMDEzWhgPMjEyNjEwMzAwMTEwMTNaMBYxFDASBgNVBAMMC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEckhaJ41vZFEo" +
	"Ima5mHdW89Y7xXBPB5yolAsSFzAyPhIUOf9tztm/o5KMR2vXpYM8gU9hhJebXVTqHsSJF0PZK6NTMFEwHQYDVR0OBBYEFBaCW667hhbe0j1bmwsm2deW" +
	"UT6uMB8GA1UdIwQYMBaAFBaCW667hhbe0j1bmwsm2deWUT6uMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhALqyGxtwJplx7SBOIXhY" +
	"98Uz2VTehAI2LFGvkaDw6LY7AiATpZOYpITKPkADH1cZNW3IKCe4yIk2RwKDGOzQjTncHQ=="

// writable reports whether a client can set the attribute.
func (a *attribute) writable() bool { return a.mutability != "readOnly" }

// shown reports whether a value that was set can be seen.
func (a *attribute) shown() bool { return a.returned != "never" && a.mutability != "writeOnly" }

// path is the attribute as a PATCH path or a filter names it.
func (a *attribute) path() string {
	name := a.name
	if a.parent != nil {
		name = a.parent.name + "." + name
	}
	if a.extension != "" {
		return a.extension + ":" + name
	}
	return name
}

// keys is the attribute's place in a resource.
func (a *attribute) keys() []string {
	keys := []string{a.name}
	if a.parent != nil {
		keys = []string{a.parent.name, a.name}
	}
	if a.extension != "" {
		keys = append([]string{a.extension}, keys...)
	}
	return keys
}

// in is a part of a resource that sets the attribute, with its schema announced.
func (a *attribute) in(body object, v any) object {
	out := merge(body)
	if a.extension == "" {
		out[a.name] = v
		return out
	}
	part, _ := out[a.extension].(map[string]any)
	out[a.extension] = merge(part, object{a.name: v})
	schemas := list(out["schemas"])
	for _, s := range schemas {
		if s == a.extension {
			return out
		}
	}
	out["schemas"] = append(append(array{}, schemas...), a.extension)
	return out
}

// reference reports whether a complex attribute names another resource.
func (a *attribute) reference() bool {
	return a.kind == "complex" && a.part("value") != nil && (a.part("$ref") != nil || a.name == "members")
}

// sample is a valid value of the attribute, another one with every call where the
// type leaves room. References to resources have none: nil.
func (s *suite) sample(a *attribute) any {
	v := s.element(a)
	if a.multi && v != nil {
		return array{v}
	}
	return v
}

func (s *suite) element(a *attribute) any {
	if a.reference() {
		return nil
	}
	if a.kind != "complex" {
		return s.simple(a)
	}
	out := object{}
	for _, b := range a.sub {
		if !b.writable() || b.name == "$ref" || !b.shown() && !b.required {
			continue
		}
		if v := s.sample(b); v != nil {
			out[b.name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (s *suite) simple(a *attribute) any {
	s.seq++
	if v := s.special(a); v != nil {
		return v
	}
	switch strings.ToLower(a.kind) {
	case "boolean":
		return true
	case "integer":
		return 1000 + s.seq
	case "decimal":
		return float64(s.seq) + 0.5
	case "datetime":
		return fmt.Sprintf("2024-02-03T04:%02d:%02dZ", s.seq/60%60, s.seq%60)
	case "binary":
		return "c2NpbWh1Yg=="
	case "reference":
		if len(a.refs) > 0 && a.refs[0] != "external" && a.refs[0] != "uri" {
			return nil
		}
		return fmt.Sprintf("https://example.com/%s/%d", s.run, s.seq)
	}
	if len(a.canonical) > 0 {
		return a.canonical[s.seq%len(a.canonical)]
	}
	return fmt.Sprintf("%s-%s-%d", s.run, a.name, s.seq)
}

// special is a value for attributes whose meaning asks for a form (RFC 7643 §4.1).
func (s *suite) special(a *attribute) any {
	owner := ""
	if a.parent != nil {
		owner = a.parent.name + "."
	}
	switch strings.ToLower(owner + a.name) {
	case "username":
		return s.userName()
	case "emails.value":
		return fmt.Sprintf("%s-%d@example.com", s.run, s.seq)
	case "phonenumbers.value":
		return fmt.Sprintf("tel:+1-201-555-%04d", s.seq%10000)
	case "x509certificates.value":
		return certificate
	case "photos.value", "profileurl":
		return fmt.Sprintf("https://example.com/%s/%d.png", s.run, s.seq)
	case "locale", "preferredlanguage":
		return []string{"en-US", "de-DE", "fr-FR"}[s.seq%3]
	case "timezone":
		return []string{"Europe/Berlin", "America/Denver", "Asia/Tokyo"}[s.seq%3]
	case "addresses.country":
		return []string{"DE", "US", "JP"}[s.seq%3]
	case "password":
		return fmt.Sprintf("Conf0rm!ty-%s-%d", s.run, s.seq)
	}
	return nil
}
