package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// RollBack makes the text of an earlier version the next one: versions only grow. to 0
// is the one before the active one; base is the active version that the caller saw. The
// texts that go out of force are remembered, so that no restart brings one back. A text
// of which plain-text secrets were taken is refused. The snapshot returned is not in
// force until Activate.
func (h *Hub) RollBack(ctx context.Context, by Actor, to, base int64) (*Snapshot, error) {
	old, err := h.VersionToRollBackTo(ctx, to, base)
	if err != nil {
		return nil, err
	}
	snap, err := Compile(base+1, fmt.Sprintf("version %d", old.Version), []byte(old.Body), h.Check)
	if err != nil {
		return nil, err
	}
	if h.Usable != nil {
		if err := h.Usable(snap); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(map[string]any{"version": snap.Version, "text_of": old.Version, "instead_of": base, "digest": old.Digest})
	if err != nil {
		return nil, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.RollBackConfig(old.Version, by.String()); err != nil {
			return err
		}
		if _, err := tx.AddConfig(base, old.Digest, old.Body, by.String()); err != nil {
			return err
		}
		if err := tellActivated(tx, by, snap.Version, old.Version); err != nil {
			return err
		}
		return tx.Audit(store.AuditEntry{Actor: by.String(), Action: "config.rollback", Object: "config", Data: body})
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// VersionToRollBackTo is the version that RollBack would make the next one, or why it
// cannot.
func (h *Hub) VersionToRollBackTo(ctx context.Context, to, base int64) (store.ConfigVersion, error) {
	active, err := h.Store.ConfigVersion(ctx, 0)
	if err != nil {
		return active, err
	}
	if active.Version != base {
		return active, model.Fail(model.Conflict, fmt.Sprintf("the configuration is at version %d by now, not %d: look again", active.Version, base), nil)
	}
	if to == 0 {
		to = active.Version - 1
	}
	if to == 0 {
		return active, model.Fail(model.Invalid, "version 1 is the first: there is none before it to go back to", nil)
	}
	if to >= active.Version {
		return active, model.Fail(model.Invalid, fmt.Sprintf("version %d is in force: name an earlier one", active.Version), nil)
	}
	old, err := h.Store.ConfigVersion(ctx, to)
	if err != nil {
		return old, err
	}
	if old.Digest == active.Digest {
		return old, model.Fail(model.Invalid, fmt.Sprintf("version %d has the text that is in force as version %d", old.Version, active.Version), nil)
	}
	if places := withheld(old.Body); len(places) > 0 {
		return old, model.Fail(model.Refused, fmt.Sprintf("version %d had secrets in plain text, which are not kept: %s. Apply a file that has them as ${env:NAME} or ${file:PATH}",
			old.Version, strings.Join(places, ", ")), nil)
	}
	return old, nil
}

// withheldPattern is what stands in stored texts in place of a secret.
var withheldPattern = regexp.MustCompile(`([A-Za-z_]+)["']?\s*:\s*["']?\$\{literal:[0-9a-f]{12}\}`)

// withheld names the places of a stored text where a secret was taken out.
func withheld(text string) (places []string) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		keys := withheldPattern.FindAllStringSubmatch(line, -1)
		for _, key := range keys {
			places = append(places, fmt.Sprintf("line %d (%s)", n, key[1]))
		}
		if len(keys) == 0 && strings.Contains(line, "${literal:") {
			places = append(places, fmt.Sprintf("line %d", n))
		}
	}
	return places
}
