package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Released is what was let go of at a source.
type Released struct {
	Source string             `json:"source"`
	Digest string             `json:"digest"` // of those released
	People []store.HeldLeaver `json:"people"`
}

// LeaversDigest names a set of held leavers, each with the moment at which they left;
// the order does not matter. Whoever approves it approves these and nobody else.
func LeaversDigest(source string, held []store.HeldLeaver) string {
	lines := make([]string, len(held))
	for i, p := range held {
		lines[i] = p.ID + " " + strconv.FormatInt(p.LeftAt.UnixMicro(), 10)
	}
	slices.Sort(lines)
	sum := sha256.New()
	fmt.Fprintln(sum, "leavers of", source)
	for _, l := range lines {
		fmt.Fprintln(sum, l)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// ReleaseLeavers lets the leavers of a source go whom its guard holds: all of them,
// named by the digest of the whole, or some people by id or name while the others
// stay held. Their accounts are then ended as any leaver's. Refused where the digest
// is not that of those held now, or somebody named is not held there.
func (h *Hub) ReleaseLeavers(ctx context.Context, by Actor, source, digest string, people []string) (out Released, err error) {
	if (digest == "") == (len(people) == 0) {
		return out, model.Fail(model.Invalid, "say either the digest of all held leavers or which people", nil)
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.HeldLeavers(source)
		if err != nil {
			return err
		}
		if digest != "" {
			if err := sameLeavers(source, digest, held); err != nil {
				return err
			}
		} else if held, err = heldAmong(tx, source, held, people); err != nil {
			return err
		}
		out = Released{Source: source, Digest: LeaversDigest(source, held), People: held}
		ids := names(held, func(p store.HeldLeaver) string { return p.ID })
		if err := tx.ReleaseLeavers(ids); err != nil {
			return err
		}
		return h.auditRelease(tx, by, out)
	})
	if err != nil {
		return Released{}, err
	}
	h.Wake()
	return out, nil
}

// auditRelease writes one entry for the release and one in each person's own trail.
func (h *Hub) auditRelease(tx *store.Tx, by Actor, r Released) error {
	whole, err := json.Marshal(map[string]any{"digest": r.Digest, "people": names(r.People, func(p store.HeldLeaver) string { return p.ID })})
	if err != nil {
		return err
	}
	entries := []store.AuditEntry{{Actor: by.String(), Action: "source.release", Object: "source/" + r.Source, Data: whole}}
	one, _ := json.Marshal(map[string]any{"source": r.Source, "digest": r.Digest})
	for _, p := range r.People {
		entries = append(entries, store.AuditEntry{Actor: by.String(), Action: "identity.release", Object: "identity/" + p.ID, Identity: p.ID, Data: one})
		if err := tx.AddEvent(store.Event{Type: "identity.released", Source: r.Source, Identity: p.ID, Data: map[string]any{"by": by.String(), "digest": r.Digest}}); err != nil {
			return err
		}
	}
	return tx.Audit(entries...)
}

func sameLeavers(source, digest string, held []store.HeldLeaver) error {
	if len(held) == 0 {
		return model.Fail(model.Refused, "nobody is held at "+source, nil)
	}
	if have := LeaversDigest(source, held); have != digest {
		return model.Fail(model.Refused, fmt.Sprintf("the digest %q is not that of the %d leavers held at %s now (%s): look at them again, they may have changed",
			digest, len(held), source, have), nil)
	}
	return nil
}

// heldAmong finds the people named among those held; each counts once.
func heldAmong(tx *store.Tx, source string, held []store.HeldLeaver, people []string) (out []store.HeldLeaver, err error) {
	for _, name := range people {
		row, err := tx.FindIdentity(name)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(held, func(p store.HeldLeaver) bool { return p.ID == row.ID })
		if at < 0 {
			return nil, model.Fail(model.Refused, fmt.Sprintf("%s is not held at %s", row.Name, source), nil)
		}
		if !slices.Contains(out, held[at]) {
			out = append(out, held[at])
		}
	}
	return out, nil
}
