package fanout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// The ids of accounts mean something at one tenant of one application only. Where the
// URL of a target changes, they are believed once accounts that are known are found by
// them there. Else everything waits: at another tenant every account would look gone,
// leavers would look revoked, and thousands of accounts would be made anew.

// tenantAgain is how often a target at a new URL is looked at again while it waits.
const tenantAgain = time.Minute

// tenantOf is what of a URL says which tenant is meant: host and path.
func tenantOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	return host + strings.TrimRight(u.EscapedPath(), "/")
}

// atHome reports whether the ids that are stored are those of the tenant at the
// configured URL. Until then nothing at all is done at the target.
func (r *runner) atHome(ctx context.Context) (bool, error) {
	if r.home.Load() || r.target.Manual != nil {
		return true, nil
	}
	st, err := r.w.Store.TargetState(ctx, r.target.Name)
	if err != nil {
		return false, fmt.Errorf("read target state: %w", err)
	}
	here := tenantOf(baseURL(r.target.URL, r.profile.BasePath))
	m := st.Moved
	switch {
	case st.Base == here:
		r.home.Store(true)
		return true, nil
	case m != nil && m.To == here && r.w.Now().Before(m.At.Add(tenantAgain)):
		return false, nil
	case st.Base == "": // never worked on, or not since ids are remembered with their place
		return r.rememberHome(ctx, here, nil)
	}
	return r.recognise(ctx, st, here)
}

// recognise reads a few known accounts at the new URL.
func (r *runner) recognise(ctx context.Context, st store.TargetState, here string) (bool, error) {
	rows, err := r.w.Store.Canaries(ctx, r.target.Name, r.w.Now(), canaryTries)
	if err != nil {
		return false, fmt.Errorf("read accounts: %w", err)
	}
	same, others := 0, 0
	for _, row := range rows {
		u, err := r.get(ctx, row.RemoteID)
		switch {
		case ClassOf(err) == Missing:
		case err != nil:
			return false, fmt.Errorf("target %s at its new URL: %w", r.target.Name, err)
		case isOf(row, u):
			same++
		default:
			others++
		}
	}
	if len(rows) == 0 || (others == 0 && 2*same >= len(rows)) {
		return r.rememberHome(ctx, here, []model.Change{{Verb: model.Report,
			Because: []string{fmt.Sprintf("the URL changed from %s to %s; %d of %d accounts that are known were found there by their ids", st.Base, here, same, len(rows))}}})
	}
	m := store.Moved{From: st.Base, To: here, At: r.w.Now(), Digest: tenantDigest(r.target.Name, st.Base, here)}
	m.Words = fmt.Sprintf("the URL changed from %s to %s, and only %d of %d accounts that are known are there by their ids: it looks like another tenant, and nothing is done there. "+
		"If it is one, `target release %s %s` forgets the old ids, and everybody is looked up and made there anew; what is at the old URL stays as it is. If not, put the URL right",
		st.Base, here, same, len(rows), r.target.Name, m.Digest)
	fresh := st.Moved == nil || st.Moved.To != here
	err = r.w.Store.Update(ctx, func(tx *store.Tx) error {
		if fresh {
			if err := tx.Notify(movedNotice(r.target.Name, m)); err != nil {
				return err
			}
		}
		return tx.UpdateTargetState(r.target.Name, func(st *store.TargetState) { st.Moved = &m })
	})
	if err != nil || !fresh {
		return false, err
	}
	r.log.ErrorContext(ctx, "target held", "error", m.Words)
	return false, r.w.Store.AuditChanges(ctx, r.target.Name, []model.Change{{Verb: model.Report, Because: []string{m.Words}}})
}

// tenantDigest names a change of tenant, so that just this one is released.
func tenantDigest(target, from, to string) string {
	sum := sha256.Sum256(canonicalJSON([]any{"tenant", target, from, to}))
	return hex.EncodeToString(sum[:8])
}

// isOf reports whether the account is the one that a row knows: what an id stands for
// elsewhere may be somebody else's account.
func isOf(row model.AccountRow, u RemoteUser) bool {
	return carriesNames(row.Observed, u) || carriesNames(row.Applied, u) ||
		row.Applied != nil && row.Applied.UserName == "" // erased: nothing is known to compare
}

// carriesNames reports whether the target shows the user name or the externalId of an
// account.
func carriesNames(a *model.Account, u RemoteUser) bool {
	if a == nil {
		return false
	}
	if strings.EqualFold(a.UserName, u.UserName) {
		return true
	}
	id, _ := a.Attrs["externalId"].(string)
	return id != "" && id == stringOf(u.Attrs, "externalId")
}

// rememberHome remembers that the ids are those of the tenant here.
func (r *runner) rememberHome(ctx context.Context, here string, audit []model.Change) (bool, error) {
	err := r.w.Store.UpdateTargetState(ctx, r.target.Name, func(st *store.TargetState) { st.Base, st.Moved = here, nil })
	if err == nil && len(audit) > 0 {
		err = r.w.Store.AuditChanges(ctx, r.target.Name, slices.Clone(audit))
	}
	if err == nil {
		r.home.Store(true)
	}
	return err == nil, err
}
