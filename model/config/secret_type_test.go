package config_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// secretive are names of fields that hold secrets, wherever they are.
var secretive = regexp.MustCompile(`(?i)(secret|password|passphrase|bearer|credential|webhook|database|dsn|apikey|token|key|headers)$`)

// harmless are fields with such names that hold none, with the reason.
var harmless = map[string]string{
	"TLS.Key":                      "the path of a file",
	"ClientCert.Key":               "the path of a file",
	"OAuth2.TokenURL":              "an address without credentials",
	"CredentialProfile.Expires":    "a number of days",
	"Profile.Password":             "whether one may be sent",
	"Document.TrustedProxies":      "networks",
	"Bucket.Key":                   "the name of a limit",
	"Admin.TokenLifetime":          "a duration",
	"JWT.JWKSURL":                  "an address of public keys",
	"LeaverPolicy.Connector.Token": "none",
}

// TestSecretsByType: what holds a secret has the type that nobody can print.
func TestSecretsByType(t *testing.T) {
	t.Parallel()
	secret, seen := reflect.TypeFor[model.Secret](), map[reflect.Type]bool{}
	found := 0
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if typ == secret || seen[typ] || !strings.Contains(typ.PkgPath(), "scimhub/model") || strings.HasSuffix(typ.PkgPath(), "model/scim") {
			return
		}
		seen[typ] = true
		for _, f := range reflect.VisibleFields(typ) {
			if !f.IsExported() {
				continue
			}
			leaf := f.Type
			for leaf.Kind() == reflect.Pointer || leaf.Kind() == reflect.Slice || leaf.Kind() == reflect.Map {
				leaf = leaf.Elem()
			}
			if leaf == secret {
				found++
			} else if name := typ.Name() + "." + f.Name; leaf.Kind() == reflect.String && secretive.MatchString(f.Name) && harmless[name] == "" {
				t.Errorf("%s is a %s: make it a model.Secret, or say in the test why it holds none", name, f.Type)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[config.Document]())
	if found < 12 {
		t.Errorf("only %d fields hold secrets: the walk misses some", found)
	}
}

// canaries is a configuration with a literal secret in every place that takes one.
const canaries = `
database: postgres://hub:canary-dsn@db.example/hub?sslpassword=canary-ssl
admin:
  tokens: [{name: ops, secret: canary-admin, role: admin}]
  oidc: {issuer: https://idp.example, client_id: hub, client_secret: canary-oidc, roles: {admin: [a]}}
sources:
  hr: {tokens: [{name: main, secret: canary-source}], basic: [{name: b, user: u, password: canary-basic}]}
targets:
  a: {url: https://a.example, auth: {bearer: canary-bearer, next: {secret: canary-next}}}
  b: {url: https://b.example, auth: {basic: {user: u, password: canary-target}}}
  c: {url: https://c.example, auth: {oauth2: {token_url: https://c.example/t, client_id: i, client_secret: canary-oauth}}}
  d: {url: https://d.example, auth: {header: {name: X-Key, value: canary-header}}}
notify:
  - {webhook: https://hooks.example/services/canary-path?k=canary-query, secret: canary-webhook}
  - {name: folded, webhook: "https://hooks.example/\x63anary-escaped"}
  - name: block
    webhook: >-
      https://hooks.example/canary-block
smtp: {host: mail.example, from: hub@mail.example, user: u, password: canary-mail}
audit: {key: "cafe0000cafe0000cafe0000cafe0000cafe0000cafe0000cafe0000cafe0000"}
tracing: {otlp: https://otlp.example/v1/traces, headers: {authorization: canary-otlp}}
`

// TestSecretsInNoForm: however a configuration with secrets is written down, they are not
// in what is written; hosts of webhooks are.
func TestSecretsInNoForm(t *testing.T) {
	t.Parallel()
	d, faults := config.Parse("hub.yaml", []byte(canaries))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var logged, gobbed bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "doc", *d, "targets", d.Targets, "notify", d.Notify, "smtp", d.SMTP, "database", d.Database)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "doc", d, "targets", d.Targets, "notify", d.Notify, "smtp", d.SMTP)
	forms := map[string]string{"slog": logged.String(), "error": fmt.Errorf("%v: %w", d.SMTP, errors.New(fmt.Sprint(d.Targets))).Error(), "Shown": string(d.Shown()),
		"ShownText": config.ShownText(canaries)}
	values := []any{d.Admin, d.Sources, d.Targets, d.Notify, d.SMTP, d.Audit, d.Tracing, d.Database}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			forms[fmt.Sprintf("%T %s", v, verb)] = fmt.Sprintf(verb, v)
		}
		js, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		ym, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		forms[fmt.Sprintf("%T json", v)], forms[fmt.Sprintf("%T yaml", v)] = string(js), string(ym)
	}
	forms["document"] = fmt.Sprintf("%v %+v %s %#v %x", d, *d, d, *d, d)
	for _, s := range []model.Secret{d.Admin.Tokens[0].Secret, d.Database, d.Notify[0].Webhook} {
		if err := gob.NewEncoder(&gobbed).Encode(struct{ S model.Secret }{s}); err != nil {
			t.Fatal(err)
		}
	}
	forms["gob"] = gobbed.String()
	hexed := fmt.Sprintf("%x", "canary")
	for name, text := range forms {
		if i := strings.Index(text, "canary"); i >= 0 {
			t.Errorf("%s: …%.40s", name, text[max(0, i-20):])
		}
		if strings.Contains(text, "cafe0000") || strings.Contains(text, hexed) {
			t.Errorf("%s shows the audit key, or a secret in figures", name)
		}
	}
	shown := string(d.Shown())
	if strings.Count(shown, "https://hooks.example/literal-") != 3 {
		t.Errorf("hosts of webhooks are not shown:\n%s", shown)
	}
	again, faults := config.Parse("hub.yaml", d.Redacted())
	if len(faults) > 0 || again.Notify[0].Address() != "https://hooks.example/services/canary-path?k=canary-query" {
		t.Errorf("what is stored leads no webhook to its place: %v", faults)
	}
}
