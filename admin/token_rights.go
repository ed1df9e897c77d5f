package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// mayMake checks what is asked of a new token of the API, which must not be worth more
// than the credential of who makes it.
func mayMake(by Caller, in TokenRequest) error {
	if in.Role == "" {
		if len(in.Scope) > 0 || len(in.Targets) > 0 || in.Person != "" {
			return model.Fail(model.Invalid, "scope, targets and person are for tokens of the API, which have a role", nil)
		}
		return nil
	}
	if in.Source != "" || in.Target != "" {
		return model.Fail(model.Invalid, "role is for tokens of the API: one of a source or of the proxy has none", nil)
	}
	if !slices.Contains(Roles(), in.Role) {
		return model.Fail(model.Invalid, fmt.Sprintf("role %q must be one of %s%s", in.Role, strings.Join(Roles(), ", "), config.Suggest(in.Role, Roles())), nil)
	}
	if len(in.May) > 0 {
		return model.Fail(model.Invalid, "may: only a token of the proxy has it; a token of the API is limited by scope", nil)
	}
	if in.Role == RolePerson && in.Person == "" {
		return model.Fail(model.Invalid, "role person needs person, whom the token acts for", nil)
	}
	for _, one := range in.Scope {
		if !slices.Contains(Rights(), one) {
			return model.Fail(model.Invalid, fmt.Sprintf("scope: %q must be one of %s%s", one, strings.Join(Rights(), ", "), config.Suggest(one, Rights())), nil)
		}
	}
	return within(by, nilIfNone(in.Scope), nilIfNone(in.Targets))
}

// within is nil where a credential with these limits is worth no more than the caller's.
func within(by Caller, scope, targets []string) error {
	if !narrower(scope, by.Scope) || !narrower(targets, by.Targets) {
		return model.Fail(model.Forbidden, "who is limited to some rights or targets gives nobody more than that", nil)
	}
	return nil
}

// narrower reports whether a limit allows no more than another; nil: no limit.
func narrower(limit, than []string) bool {
	if than == nil {
		return true
	}
	return limit != nil && !slices.ContainsFunc(limit, func(s string) bool { return !slices.Contains(than, s) })
}

// mayRotate is nil where the caller may have the next secret of a token.
func (a *API) mayRotate(ctx context.Context, by Caller, id string) error {
	if by.Scope == nil && by.Targets == nil {
		return nil
	}
	k, ok, err := a.Hub.Store.TokenByID(ctx, id)
	if err != nil || !ok || k.Source != store.AdminTokens {
		return err
	}
	return within(by, k.Scope, k.Targets)
}

// nilIfNone is a limit as callers have it: an empty list in a request is no limit.
func nilIfNone(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// StoredTokens are the tokens of the API among those that are stored, both secrets of
// each; how they were made says that nobody guesses them.
func StoredTokens(list []store.Token) (out []Token) {
	for _, k := range list {
		if k.Source != store.AdminTokens || k.RevokedAt != nil {
			continue
		}
		one := Token{Caller: Caller{Name: k.Name, Role: k.Role, Person: k.Person, Scope: k.Scope, Targets: k.Targets}, ID: k.ID, Random: true, Expires: k.ExpiresAt}
		if copy(one.Hash[:], k.Hash) == len(one.Hash) {
			out = append(out, one)
		}
		if k.PreviousUntil != nil {
			one.Expires = k.PreviousUntil
			if copy(one.Hash[:], k.Previous) == len(one.Hash) {
				out = append(out, one)
			}
		}
	}
	return out
}

// actor is the caller as the hub knows them.
func (c Caller) actor() hub.Actor { return hub.Actor{Name: c.Name} }
