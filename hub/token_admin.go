package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// newAdminToken checks what is asked of a new token of the API, and names those of the
// configuration.
func (h *Hub) newAdminToken(ctx context.Context, n *NewToken) (names []string, err error) {
	if n.Source != "" || n.Target != "" {
		return nil, model.Fail(model.Invalid, "a token is for a source, for the proxy or for the API, not for several of them", nil)
	}
	n.Source = store.AdminTokens
	doc := h.Snapshot().Doc
	for _, t := range doc.Admin.Tokens {
		names = append(names, t.Name)
	}
	for _, name := range n.Targets {
		if _, ok := doc.Target(name); !ok {
			return nil, model.Fail(model.NotFound, fmt.Sprintf("there is no target %q", name), nil)
		}
	}
	if n.Person != "" {
		err = h.Store.View(ctx, func(tx *store.Tx) error {
			row, err := tx.FindIdentity(n.Person)
			n.Person = row.ID
			return err
		})
	}
	return append(names, localToken), err
}

// localToken is what commands on the hub's own machine come in with.
const localToken = "local"

// inLimit refuses tokens of the API that have no end, or one that is too far away.
func (h *Hub) inLimit(k store.Token, now time.Time) error {
	if k.Source != store.AdminTokens {
		return nil
	}
	longest := h.Snapshot().Doc.Admin.TokenLifetime
	switch {
	case k.ExpiresAt == nil:
		return model.Fail(model.Invalid, "expires is missing: a token of the API needs an end, such as 90d", nil)
	case k.ExpiresAt.After(now.Add(longest)):
		return model.Fail(model.Invalid, fmt.Sprintf("expires: a token of the API lasts no longer than %d days (admin.token_lifetime)", int(longest.Hours()/24)), nil)
	}
	return nil
}

// tokenOwner says in words what tokens of a source are for.
func tokenOwner(source string) string {
	if source == store.AdminTokens {
		return "the API"
	}
	return "source " + source
}
