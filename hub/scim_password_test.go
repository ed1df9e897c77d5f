package hub_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/scimhub/scimhub/model/scim"
)

// holds checks a password against a hash in PHC form, as an application would.
func holds(t *testing.T, hash, password string) bool {
	t.Helper()
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		t.Fatalf("hash %q", hash)
	}
	var memory, rounds uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &rounds, &threads); err != nil {
		t.Fatalf("hash %q: %v", hash, err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), salt, rounds, memory, threads, 32)) == parts[5]
}

// TestPasswords: kept as a hash by whatever sets them, in one table, and nowhere else.
func TestPasswords(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		made := w.person("ada", "password", "s3cret-one")
		hash := func() string {
			w.t.Helper()
			list := w.db.Strings(w.t, `SELECT hash FROM resource_passwords`)
			return strings.Join(list, " ")
		}
		first := hash()
		if !holds(w.t, first, "s3cret-one") || holds(w.t, first, "s3cret-two") || made.Attrs["password"] != nil {
			w.t.Errorf("after POST: %v, hash %s", made.Attrs, first)
		}
		r := w.patch(w.user, made.ID, `[{"op":"replace","path":"password","value":"s3cret-x"},{"op":"replace","path":"password","value":"s3cret-two"}]`)
		second := hash()
		if !holds(w.t, second, "s3cret-two") || r.Meta.Version != 2 {
			w.t.Errorf("after PATCH: version %d", r.Meta.Version)
		}
		put := func(attrs map[string]any) scim.Resource {
			w.t.Helper()
			r, err := w.Modify(ctxOf(w), by("hr"), w.user, made.ID, always, scim.Change{Replace: attrs}, scim.Fields{})
			if err != nil {
				w.t.Fatal(err)
			}
			return r
		}
		put(map[string]any{"userName": "ada", "title": "Engineer"})
		if hash() != second {
			w.t.Error("a PUT without a password changed it")
		}
		if r := put(map[string]any{"userName": "ada", "title": "Engineer", "password": "s3cret-two"}); r.Meta.Version != 4 || hash() == second || !holds(w.t, hash(), "s3cret-two") {
			w.t.Errorf("a PUT with a password: version %d", r.Meta.Version)
		}
		told := 0
		for _, text := range w.db.Strings(w.t, `SELECT data FROM audit UNION ALL SELECT data FROM events UNION ALL SELECT doc FROM resources`) {
			if strings.Contains(text, "s3cret") || strings.Contains(text, "argon2") {
				w.t.Errorf("a password or its hash is told: %s", text)
			}
			if strings.Contains(text, `"password":"changed"`) {
				told++
			}
		}
		if told != 6 { // three writes, an event and an audit entry each
			w.t.Errorf("%d entries say that the password changed", told)
		}
		w.remove("hr", w.user, made.ID)
		if hash() != "" {
			w.t.Error("the password outlives the user")
		}
		ctx, cancel := context.WithCancel(ctxOf(w))
		cancel()
		if _, err := w.Create(ctx, by("hr"), w.user, map[string]any{"userName": "x", "password": "y"}); !errors.Is(err, context.Canceled) {
			w.t.Errorf("cancelled: %v", err)
		}
		if ids := w.db.Strings(w.t, `SELECT resource_id FROM resource_passwords`); !slices.Equal(ids, nil) {
			w.t.Errorf("passwords of %v", ids)
		}
	})
}

// TestSecretsOfSchemas: what a configured schema never returns is stored for who may
// need it, and told nobody.
func TestSecretsOfSchemas(t *testing.T) {
	t.Parallel()
	const urn = "urn:acme:secrets:2.0:User"
	each(t, oneSource, func(w *world) {
		acme := &scim.Schema{ID: urn, Name: "Secrets", Attributes: []*scim.Attribute{{Name: "badge"}, {Name: "pin", Mutability: scim.WriteOnly, Returned: scim.ReturnedNever}}}
		r, err := scim.NewRegistry(&scim.ResourceType{Name: "User", Endpoint: "/Users", Schema: w.user.Schema, Extensions: []scim.Extension{{Schema: acme}}})
		if err != nil {
			w.t.Fatal(err)
		}
		w.user, _ = r.Type("User")
		ada := w.person("ada", urn, map[string]any{"badge": "B1", "pin": "s3cret-1"})
		w.patch(w.user, ada.ID, `[{"op":"replace","path":"`+urn+`:pin","value":"s3cret-2"}]`)
		if doc := w.db.Strings(w.t, `SELECT doc FROM resources`); len(doc) != 1 || !strings.Contains(doc[0], "s3cret-2") {
			w.t.Errorf("stored %v", doc)
		}
		w.remove("hr", w.user, ada.ID)
		for _, text := range w.db.Strings(w.t, `SELECT data FROM audit UNION ALL SELECT data FROM events`) {
			if strings.Contains(text, "s3cret") || !strings.Contains(text, "pin") {
				w.t.Errorf("told: %s", text)
			}
		}
	})
}
