package hub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TestErasureWaitsForAccountsLeftByALink: an account that somebody had before they turned
// out to be another may be enabled still; nobody is erased before it is not.
func TestErasureWaitsForAccountsLeftByALink(t *testing.T) {
	t.Parallel()
	configuration := strings.Replace(twoSources, "identity:\n", "identity:\n  purge_after: 720h\n", 1)
	each(t, configuration, func(w *world) {
		_, p := w.pushed("okta", "ada.l", "externalId", "1")
		_, q := w.pushed("hr", "ada", "externalId", "2")
		w.evaluate()
		w.made(p, "chat", "r1")
		w.made(q, "chat", "r2")
		w.link(p, q)
		w.evaluate()
		for _, resource := range w.db.Strings(w.t, `SELECT id FROM resources ORDER BY source`) {
			source := w.db.Strings(w.t, `SELECT source FROM resources WHERE id = ?`, resource)[0]
			w.remove(source, w.user, resource)
		}
		w.evaluate()
		disabled := func(identity string) {
			w.db.Exec(w.t, `UPDATE accounts SET applied = '{"userName":"x","active":false}', due = FALSE, enabled = FALSE, sent = NULL, state = 'disabled' WHERE identity_id = ?`, identity)
		}
		disabled(q)
		if _, err := w.Erase(ctxOf(w), operator, q, false); model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), "chat") {
			w.t.Errorf("erased while an account is enabled: %v", err)
		}
		w.clock.Add(721 * time.Hour)
		w.evaluate()
		w.wantStage(q, model.Leaver)
		disabled(p)
		w.clock.Add(2 * time.Hour)
		w.evaluate()
		w.wantStage(q, model.Purged)
		w.wantStage(p, model.Purged)
	})
}

// TestNobodyComesBackToWhoIsErased: a resource never belongs to somebody whose data was
// erased while the source made it.
func TestNobodyComesBackToWhoIsErased(t *testing.T) {
	t.Parallel()
	each(t, life, func(w *world) {
		id, u := w.wholeLife()
		w.remove("hr", w.user, u.ID)
		w.evaluate()
		w.carriedOut()
		// The source pushes them between the decision and the erasure.
		err := w.Store.Update(ctxOf(w), func(tx *store.Tx) error {
			if _, err := tx.Identity(id); err != nil {
				return err
			}
			w.t.Helper()
			_, err := tx.Erase(id)
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
		err = w.Store.Update(ctxOf(w), func(tx *store.Tx) error {
			standing, err := tx.Standing(id)
			if err == nil && standing != "" {
				w.t.Errorf("%s stands for somebody who was erased", standing)
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
		again := w.person("bob")
		other := w.identityOf(again.ID)
		err = w.Store.Update(ctxOf(w), func(tx *store.Tx) error { _, err := tx.Erase(other); return err })
		if model.CodeOf(err) != model.Conflict {
			w.t.Errorf("erased whom a source describes: %v", err)
		}
		w.evaluate()
		w.wantStage(other, model.Active)
	})
}

// TestOlderConfigurationSettlesOnlyWhoIsGoneAnyway: a process that has not got the active
// configuration yet takes nobody's access because of dates or authority, which the newer
// one may see otherwise.
func TestOlderConfigurationSettlesOnlyWhoIsGoneAnyway(t *testing.T) {
	t.Parallel()
	wrong := strings.Replace(oneSource, "roles:", "identity: {end: nickName}\nroles:", 1)
	each(t, wrong, func(w *world) {
		w.apply(wrong)
		dated, off, gone := w.person("dated"), w.person("off"), w.person("gone")
		w.evaluate()
		active, _, err := w.Store.ActiveConfig(ctxOf(w))
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.Apply(ctxOf(w), hub.Actor{Name: "ops"}, "hub.yaml", []byte(oneSource), active.Version); err != nil {
			w.t.Fatal(err)
		}
		w.patch(w.user, dated.ID, `[{"op":"add","path":"nickName","value":"2020-01-01"}]`)
		w.patch(w.user, off.ID, `[{"op":"replace","path":"active","value":false}]`)
		id := w.identityOf(gone.ID)
		w.remove("hr", w.user, gone.ID)
		if _, err := w.EvaluateBatch(ctxOf(w)); err != nil {
			w.t.Fatal(err)
		}
		w.wantStage(w.identityOf(dated.ID), model.Active)
		w.wantStage(w.identityOf(off.ID), model.Leaver)
		w.wantStage(id, model.Leaver)
	})
}
