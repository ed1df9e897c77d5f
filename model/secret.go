package model

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"unique"
)

// Secret is a reference to a secret: ${env:NAME} or ${file:PATH}. The value is
// read when used and never stored; every rendering of a Secret shows only that
// there is one. Equal secrets are ==.
type Secret struct {
	// Behind a pointer: fmt shows the fields of what is given a verb that does not suit it,
	// and asks no method then.
	ref unique.Handle[string]
}

// NewSecret makes a Secret from a reference. An empty reference is no secret.
func NewSecret(ref string) Secret {
	if ref == "" {
		return Secret{}
	}
	return Secret{ref: unique.Make(ref)}
}

// IsZero reports whether no secret is configured.
func (s Secret) IsZero() bool { return s == Secret{} }

func (s Secret) text() string {
	if s.IsZero() {
		return ""
	}
	return s.ref.Value()
}

// Reference returns the reference text, which is itself not secret.
func (s Secret) Reference() string {
	if _, _, ok := s.parse(); ok {
		return s.text()
	}
	return "[redacted]"
}

// Reveal reads the value. The message of an error names the reference, never a value.
func (s Secret) Reveal() (string, error) {
	kind, name, ok := s.parse()
	if !ok {
		return s.text(), nil
	}
	if kind == "literal" {
		return "", Fail(Invalid, "a secret stands in the configuration file in plain text, so it is not stored: start with that file, or refer to it as ${env:NAME} or ${file:PATH}", nil)
	}
	if kind == "env" {
		v, found := os.LookupEnv(name)
		if !found || v == "" {
			return "", Fail(Invalid, "environment variable "+name+" is not set", nil)
		}
		return v, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", Fail(Invalid, "secret file cannot be read", err)
	}
	v := strings.TrimRight(string(b), "\r\n")
	if v == "" {
		return "", Fail(Invalid, "secret file "+name+" is empty", nil)
	}
	return v, nil
}

func (s Secret) parse() (kind, name string, ok bool) {
	inner, found := strings.CutPrefix(s.text(), "${")
	if !found || !strings.HasSuffix(inner, "}") {
		return "", "", false
	}
	kind, name, ok = strings.Cut(strings.TrimSuffix(inner, "}"), ":")
	return kind, name, ok && name != "" && (kind == "env" || kind == "file" || kind == "literal")
}

// String keeps the secret out of texts.
func (s Secret) String() string { return "[redacted]" }

// Format keeps the secret out of every fmt verb, %#v included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// MarshalText keeps the secret out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// GobEncode keeps the secret out of gob, which a reference survives.
func (s Secret) GobEncode() ([]byte, error) { return []byte(s.Reference()), nil }

// GobDecode reads what GobEncode wrote.
func (s *Secret) GobDecode(b []byte) error {
	*s = NewSecret(string(b))
	return nil
}

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }
