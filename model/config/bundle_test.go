package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/config"
)

const bundled = `listen: 127.0.0.1:8080
sources: {hr: {tokens: [{name: main, secret: "top secret"}]}}
schemas: [employment.json, device.json]
resource_types: [types.json]
`

var bundledFiles = map[string]string{
	"employment.json": `{"id":"urn:acme:employment:2.0:User","name":"Employment","attributes":[{"name":"kind","type":"string","multiValued":false}]}`,
	"device.json":     `{"id":"urn:acme:core:2.0:Device","name":"Device","attributes":[{"name":"serial","type":"string","multiValued":false}]}`,
	"types.json": `[{"name":"Device","endpoint":"/Devices","schema":"urn:acme:core:2.0:Device"},
		{"name":"User","schemaExtensions":[{"schema":"urn:acme:employment:2.0:User","required":false}]}]`,
}

func readBundled(file string) ([]byte, error) {
	text, ok := bundledFiles[file]
	if !ok {
		return nil, errors.New("no such file")
	}
	return []byte(text), nil
}

// TestBundle: the text with its files says everything; what is stored and shown of
// it says the same, but for secrets.
func TestBundle(t *testing.T) {
	t.Parallel()
	whole := config.Bundle([]byte(bundled), readBundled)
	d, faults := config.Parse("hub.yaml", whole)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if _, ok := d.Registry.Type("Device"); !ok {
		t.Error("no Device")
	}
	if _, ok := d.Registry.Schema("urn:acme:employment:2.0:User"); !ok {
		t.Error("no extension")
	}
	again, faults := config.Parse("stored", d.Redacted())
	if len(faults) > 0 || len(again.Registry.Types) != 3 {
		t.Errorf("what is stored: %v", faults)
	}
	if strings.Contains(string(d.Redacted()), "top secret") {
		t.Error("a secret is stored")
	}
	none := func(string) ([]byte, error) { return nil, errors.New("must not be read again") }
	if !slices.Equal(config.Bundle(whole, none), whole) {
		t.Error("a bundle of a bundle differs")
	}
}

// TestBundleDigest: another text of a file is another configuration.
func TestBundleDigest(t *testing.T) {
	t.Parallel()
	one, _ := config.Parse("hub.yaml", config.Bundle([]byte(bundled), readBundled))
	other, faults := config.Parse("hub.yaml", config.Bundle([]byte(bundled), func(file string) ([]byte, error) {
		text, err := readBundled(file)
		return []byte(strings.ReplaceAll(string(text), "serial", "number")), err
	}))
	if len(faults) > 0 || one.Digest() == other.Digest() {
		t.Errorf("the digest does not tell: %v", faults)
	}
}

func TestBundleFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"missing file":    {"schemas: [nowhere.json]", []string{"hub.yaml:1:11: schemas[0]: nowhere.json: cannot be read: no such file"}},
		"missing schema":  {"resource_types: [types.json]", []string{"urn:acme:core:2.0:Device is in none", "urn:acme:employment:2.0:User is in none"}},
		"twice":           {"schemas: [device.json, device.json]\nresource_types: [types.json]", []string{"defined twice"}},
		"a type is none":  {"schemas: [types.json]", []string{"hub.yaml:1:11: schemas[0]: types.json:"}},
		"nobody uses it":  {"schemas: [device.json]", []string{"no resource type uses the schema"}},
		"foreign content": {"schemas: []\n--- {\"file\":\"x\",\"text\":\"y\"}\nlisten: x\n", []string{"only lines like it may follow"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := config.Parse("hub.yaml", config.Bundle([]byte(c.text), readBundled))
			got := lines(faults)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("got:\n%s\nwant %s", got, want)
				}
			}
		})
	}
}

// TestBundleExtendsByName: a schema that no type names extends the type that its
// URN ends in.
func TestBundleExtendsByName(t *testing.T) {
	t.Parallel()
	d, faults := config.Parse("hub.yaml", config.Bundle([]byte("schemas: [employment.json]"), readBundled))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	user, _ := d.Registry.Type("User")
	last := user.Extensions[len(user.Extensions)-1]
	if last.Schema.ID != "urn:acme:employment:2.0:User" || last.Required {
		t.Errorf("got %s, required %t", last.Schema.ID, last.Required)
	}
}
