package admin

import (
	"bufio"
	"context"
	"net/http"

	"github.com/scimhub/scimhub/model/store"
)

// backup streams everything the database holds. Who took it is in the audit trail, and
// so in the backup itself.
func (a *API) backup(r *http.Request, by Caller) (any, error) {
	err := a.Hub.Store.Update(r.Context(), func(tx *store.Tx) error {
		return tx.Audit(store.AuditEntry{Actor: by.Name, Action: "hub.backup", Object: "hub"})
	})
	if err != nil {
		return nil, err
	}
	return streamed{kindBackup, func(ctx context.Context, w *bufio.Writer) error {
		done, err := a.Hub.Store.Backup(ctx, w, a.Version.Version, nil)
		if err == nil {
			a.Log.InfoContext(ctx, "backup written", "actor", by.Name, "rows", done.Rows)
		}
		return err
	}}, nil
}
