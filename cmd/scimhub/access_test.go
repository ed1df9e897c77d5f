package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// replica is what one process of a hub knows of sources, over a shared database.
type replica struct {
	t *testing.T
	*hub.Hub
	*sourceAccess
}

func newReplica(t *testing.T, s *store.Store, configuration string) *replica {
	t.Helper()
	r := &replica{t: t, Hub: hub.New(s, slog.New(slog.DiscardHandler)), sourceAccess: newSourceAccess(s, newMetrics(prometheus.NewRegistry(), s))}
	r.apply(configuration)
	return r
}

func (r *replica) apply(configuration string) {
	r.t.Helper()
	snap, err := hub.Compile(1, "hub.yaml", []byte(configuration), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c := credentialReader{seen: func(string, string) {}, reveal: func(_ string, s model.Secret) string { v, _ := s.Reveal(); return v }}
	c.read(snap.Doc)
	if err := r.configure(c, snap); err != nil {
		r.t.Fatal(err)
	}
	r.Activate(snap)
}

// opens is the source and the credential that a header proves, or the status.
func (r *replica) opens(header string) string {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Authorization", header)
	client, err := r.Authenticate(req)
	if err != nil {
		return fmt.Sprint(err)
	}
	return client.Source + "/" + client.Name + " " + client.Dialect.Name
}

const twoSources = `
sources:
  hr: {tokens: [{name: main, secret: configured-secret}], dialect: okta}
  payroll: {dialect: entra}
`

// TestTokensOnEveryReplica: what one replica makes, rotates or revokes holds at the
// others as soon as they look, which they do every second.
func TestTokensOnEveryReplica(t *testing.T) {
	t.Parallel()
	const invalid = "scim 401 : the bearer token is not valid"
	clock := storetest.NewClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		a, b := newReplica(t, db.Store, twoSources), newReplica(t, storetest.OpenURL(t, db.Dialect, db.URL, store.Options{Now: clock.Now}).Store, twoSources)
		ops, ctx := hub.Actor{Name: "ops"}, t.Context()
		follow := func() {
			t.Helper()
			for _, r := range []*replica{a, b} {
				if err := r.follow(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		expect := func(what, secret, want string) {
			t.Helper()
			for _, r := range []*replica{a, b} {
				if got := r.opens("Bearer " + secret); got != want {
					t.Errorf("%s: %s, want %s", what, got, want)
				}
			}
		}
		made, first, err := a.CreateToken(ctx, ops, hub.NewToken{Source: "payroll", Name: "batch"})
		if err != nil {
			t.Fatal(err)
		}
		follow()
		expect("made", first, "payroll/batch entra")
		expect("configured", "configured-secret", "hr/main okta")
		if _, _, err := b.RotateToken(ctx, ops, made.ID, hub.Rotation{Overlap: time.Hour}); err != nil {
			t.Fatal(err)
		}
		follow()
		expect("the secret before", first, "payroll/batch entra")
		if list, err := db.Tokens(ctx, ""); err != nil || list[0].LastUsed == nil {
			t.Errorf("nobody noted that the token was used: %+v %v", list, err)
		}
		a.apply("sources: {hr: {}}\n")
		if got := a.opens("Bearer " + first); got != invalid {
			t.Errorf("its source is gone: %s", got)
		}
		a.apply("sources: {hr: {}, payroll: {dialect: rfc, tokens: [{name: taken-over, secret: " + first + "}]}}\n")
		if got := a.opens("Bearer " + first); got != "payroll/taken-over rfc" {
			t.Errorf("the same secret in the configuration: %s", got)
		}
		a.apply(twoSources)
		if _, err := b.RevokeToken(ctx, ops, made.ID); err != nil {
			t.Fatal(err)
		}
		follow()
		expect("revoked", first, invalid)
	}, store.Options{Now: clock.Now})
}

// TestTokensExpire by the clock, the one before a rotation too.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	clock := storetest.NewClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	db := storetest.Open(t, storetest.SQLite, store.Options{Now: clock.Now})
	r := newReplica(t, db.Store, twoSources)
	inTwoHours := clock.Now().Add(2 * time.Hour)
	made, first, err := r.CreateToken(t.Context(), hub.Actor{}, hub.NewToken{Source: "hr", Expires: &inTwoHours})
	if err != nil {
		t.Fatal(err)
	}
	clock.Add(time.Hour)
	turned, second, err := r.RotateToken(t.Context(), hub.Actor{}, made.ID, hub.Rotation{Overlap: 24 * time.Hour})
	if err != nil || !turned.PreviousUntil.Equal(inTwoHours) || !turned.ExpiresAt.Equal(clock.Now().Add(2*time.Hour)) {
		t.Fatalf("%+v %v", turned, err)
	}
	if err := r.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		pass          time.Duration
		first, second string
	}{
		{0, "hr/token okta", "hr/token okta"},
		{time.Hour, "scim 401 : the bearer token expired on 2027-03-01", "hr/token okta"},
		{time.Hour, "scim 401 : the bearer token expired on 2027-03-01", "scim 401 : the bearer token expired on 2027-03-01"},
	} {
		clock.Add(tt.pass)
		if got := r.opens("Bearer " + first); got != tt.first {
			t.Errorf("first at %s: %s", clock.Now(), got)
		}
		if got := r.opens("Bearer " + second); got != tt.second {
			t.Errorf("second at %s: %s", clock.Now(), got)
		}
	}
	if _, _, err := r.RotateToken(t.Context(), hub.Actor{}, made.ID, hub.Rotation{}); err != nil {
		t.Errorf("rotating a token that expired: %v", err)
	}
}

// TestUsedIsWrittenOnceADay: a token in constant use costs one write a day.
func TestUsedIsWrittenOnceADay(t *testing.T) {
	t.Parallel()
	clock := storetest.NewClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	db := storetest.Open(t, storetest.SQLite, store.Options{Now: clock.Now})
	r := newReplica(t, db.Store, twoSources)
	for day, want := range []int{1, 1, 1} {
		noted := 0
		for range 50 {
			r.note("some-token")
			r.usedMu.Lock()
			noted += len(r.used)
			r.usedMu.Unlock()
			if err := r.writeUsed(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if noted != want {
			t.Errorf("day %d: %d writes", day, noted)
		}
		clock.Add(24 * time.Hour)
	}
}

// TestTokenNames: a token is not called what the audit trail calls another
// credential of its source.
func TestTokenNames(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		r := newReplica(t, db.Store, `
tls: {cert: a, key: b, client_ca: c}
public_url: https://127.0.0.1:8080
sources:
  hr:
    tokens: [{name: main, secret: configured-secret}]
    basic: [{name: legacy, user: u, password: some-password}]
    certificates: [{name: gateway, subject: gw}]
    jwt: {issuer: "https://sts.example.com", audience: hub, jwks_url: "https://sts.example.com/keys"}
  payroll: {}
`)
		for _, name := range []string{"main", "legacy", "gateway", "jwt"} {
			if _, _, err := r.CreateToken(t.Context(), hub.Actor{Name: "ops"}, hub.NewToken{Source: "hr", Name: name}); model.CodeOf(err) != model.Conflict {
				t.Errorf("hr/%s: %v", name, err)
			}
			if _, _, err := r.CreateToken(t.Context(), hub.Actor{Name: "ops"}, hub.NewToken{Source: "payroll", Name: name}); err != nil {
				t.Errorf("payroll/%s: %v", name, err)
			}
		}
	})
}
