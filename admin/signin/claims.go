package signin

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// claims are what a provider says of somebody.
type claims map[string]any

// maxValues is how many values of a claim are looked at.
const maxValues = 2000

// claims are those of the ID token and, where something that is needed is not in it, of
// the provider's page about whoever signs in.
func (p *provider) claims(ctx context.Context, o config.OIDC, token *oidc.IDToken, tokens *oauth2.Token) (claims, error) {
	c := claims{}
	if err := token.Claims(&c); err != nil {
		return nil, model.Fail(model.Unauthorized, "the ID token cannot be read", err)
	}
	if p.UserInfoEndpoint() == "" || c.find(o.Claim) != nil && (o.Person.Claim == "" && c["preferred_username"] != nil || o.Person.Claim != "" && c.find(o.Person.Claim) != nil) {
		return c, nil
	}
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, model.Fail(model.Unavailable, "the provider does not say who you are: try again", err)
	}
	if info.Subject != token.Subject { // OpenID Connect Core §5.3.2
		return nil, model.Fail(model.Unauthorized, "what the provider sent is about somebody else", nil)
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return nil, model.Fail(model.Unavailable, "what the provider says of you cannot be read", err)
	}
	for name, v := range more {
		if _, there := c[name]; !there { // the ID token is signed
			c[name] = v
		}
	}
	return c, nil
}

// find is a claim by its name, or by names joined by dots, of claims within claims.
func (c claims) find(name string) any {
	if v, ok := c[name]; ok {
		return v
	}
	var at any = map[string]any(c)
	for part := range strings.SplitSeq(name, ".") {
		m, _ := at.(map[string]any)
		if at = m[part]; at == nil {
			return nil
		}
	}
	return at
}

func (c claims) text(name string) string {
	switch v := c.find(name).(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

// values are those of a claim: a list, or one text.
func (c claims) values(name string) (out []string) {
	switch v := c.find(name).(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok && s != "" && len(out) < maxValues {
				out = append(out, s)
			}
		}
	}
	return out
}

// verified reports whether the provider has verified the e-mail address.
func (c claims) verified() bool {
	switch v := c["email_verified"].(type) {
	case bool:
		return v
	case string: // some providers write it so
		return strings.EqualFold(v, "true")
	}
	return false
}

// name is what the audit trail calls who signed in.
func (c claims) name(subject string) string {
	for _, claim := range []string{"preferred_username", "email"} {
		if text := clip(c.text(claim), 100); text != "" {
			return text
		}
	}
	return clip(subject, 100)
}

// known is one way to find a person: by a claim, in an attribute.
type known struct{ claim, attribute string }

// waysToFind are tried in order; the first that finds anybody decides.
func waysToFind(p config.SignInPerson) []known {
	if p.Claim != "" {
		return []known{{p.Claim, p.Attribute}}
	}
	return []known{{"preferred_username", "userName"}, {"email", "userName"}, {"email", "emails"}}
}

// person finds who signs in among the people that the hub knows; without an id where
// nobody or more than one is found, and then note says so in words.
func (s *SignIn) person(ctx context.Context, p config.SignInPerson, c claims) (out store.IdentityRow, note string, err error) {
	note = "nobody the hub knows"
	for _, way := range waysToFind(p) {
		value := c.text(way.claim)
		if value == "" {
			continue
		}
		if way.claim == "email" && !c.verified() {
			note = "nobody the hub knows (the provider has not verified your e-mail address)"
			continue
		}
		list, err := s.o.Hub.Store.KnownAs(ctx, way.attribute, value)
		if err != nil {
			return out, "", err
		}
		switch one, n := choose(list); {
		case n == 1:
			return one, "", nil
		case n > 1:
			return out, "you could be several people the hub knows, by " + way.attribute, nil
		}
	}
	return out, note, nil
}

// choose is the one person among those of a name: of who is here, if anybody is, else of
// who has left. Names are given to new people when old ones have left.
func choose(list []store.IdentityRow) (one store.IdentityRow, n int) {
	var left store.IdentityRow
	gone := 0
	for _, row := range list {
		if row.Stage == model.Leaver && !row.OverGuard {
			left = row
			gone++
			continue
		}
		one = row
		n++
	}
	if n == 0 {
		return left, gone
	}
	return one, n
}
