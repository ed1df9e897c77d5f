package fanout

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// Digest names a change so that it can be approved: 32 hex digits over target,
// account, verb, group and the state after it. If the world moves, the digest
// changes and an old approval no longer applies. Reasons and what was there
// before do not count.
func Digest(target string, c model.Change) string {
	account := c.Identity
	if c.Verb == model.Adopt {
		account += "=" + c.RemoteID // which account is taken over is the point of the approval
	}
	if c.Verb == model.Disable && c.Undo == model.UndoNever {
		account += "!" // nobody who approved a change that can be undone has approved this
	}
	if c.Verb == model.AdoptGroup || c.Verb == model.DeleteGroup {
		account += "=" + c.RemoteID
	}
	sum := sha256.Sum256(canonicalJSON([]any{target, account, string(c.Verb), c.Group, accountValue(c.After)}))
	return hex.EncodeToString(sum[:16])
}

// accountValue is the account with plain values, so that one read back from the
// database has the digest of the one that was computed.
func accountValue(a *model.Account) any {
	if a == nil {
		return nil
	}
	attrs := make(map[string]any, len(a.Attrs))
	for k, v := range a.Attrs {
		attrs[k] = plain(v)
	}
	groups := make([]any, len(a.Groups))
	for i, g := range a.Groups {
		groups[i] = g
	}
	return map[string]any{"userName": a.UserName, "active": a.Active, "attrs": attrs, "groups": groups}
}

// PlanDigest names all held changes of a plan together: 16 hex digits,
// independent of their order; empty where nothing is held.
func PlanDigest(p model.Plan) string {
	var all []string
	for _, c := range p.Changes {
		if c.Held != "" {
			all = append(all, Digest(p.Target, c))
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(p.Target + "\n" + strings.Join(all, "\n")))
	return hex.EncodeToString(sum[:8])
}
