package hub

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// How the audit trail is looked after.
const (
	checkpointTick = time.Minute     // how often it is looked whether a checkpoint is due
	checkpointLast = 5 * time.Second // for the last one, when the hub stops
)

// auditKeyName is the process key that signs checkpoints where none is configured. It
// is in the database: it shows who changed the trail without knowing the hub, no more.
const auditKeyName = "audit checkpoints"

// Keeper signs checkpoints of the audit trail. The zero value is not ready: Hub has to be
// set.
type Keeper struct {
	Hub *Hub

	mu   sync.Mutex
	last store.Checkpoint // that this process made or saw
}

// AuditKey is the key that signs checkpoints: the configured one, or else the hub's own.
// configured tells which.
func (h *Hub) AuditKey(ctx context.Context) (key ed25519.PrivateKey, configured bool, err error) {
	if snap := h.Snapshot(); snap != nil {
		if key, err = ConfiguredAuditKey(snap.Doc); key != nil || err != nil {
			return key, true, err
		}
	}
	seed, err := h.Store.ProcessKey(ctx, auditKeyName)
	if err != nil {
		return nil, false, err
	}
	return ed25519.NewKeyFromSeed(seed), false, nil
}

// ConfiguredAuditKey reads audit.key; nil where none is configured.
func ConfiguredAuditKey(doc *config.Document) (ed25519.PrivateKey, error) {
	if doc.Audit.Key.IsZero() {
		return nil, nil
	}
	text, err := doc.Audit.Key.Reveal()
	if err != nil {
		return nil, fmt.Errorf("audit.key: %w", err)
	}
	seed, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, model.Fail(model.Invalid, "audit.key must be 64 hexadecimal digits: openssl rand -hex 32 makes one", nil)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// AuditKeys are the public keys whose checkpoints count here, with those that the
// caller vouches for.
func (h *Hub) AuditKeys(ctx context.Context, more ...ed25519.PublicKey) (store.CheckpointKeys, error) {
	keys := store.CheckpointKeys{Others: more}
	key, configured, err := h.AuditKey(ctx)
	if err != nil {
		return keys, err
	}
	public := key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // as crypto/ed25519 says
	if !configured {
		keys.Others = append(keys.Others, public)
		return keys, nil
	}
	keys.Preferred = public
	own, err := h.Store.ProcessKey(ctx, auditKeyName) // signed before a key was configured
	if err == nil {
		keys.Others = append(keys.Others, ed25519.NewKeyFromSeed(own).Public().(ed25519.PublicKey)) //nolint:forcetypeassert // as above
	}
	return keys, err
}

// Run signs a checkpoint at the start and whenever one is due, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	k.Checkpoint(ctx, 0)
	tick := time.NewTicker(checkpointTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.Tick(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Tick does what is due.
func (k *Keeper) Tick(ctx context.Context) {
	snap := k.Hub.Snapshot()
	if snap == nil {
		return
	}
	k.Checkpoint(ctx, snap.Doc.Audit.Checkpoint)
}

// Stop signs the last checkpoint, when nothing writes any more.
func (k *Keeper) Stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkpointLast)
	defer cancel()
	k.Checkpoint(ctx, 0)
}

// Checkpoint signs one if anything changed and the last is older than minAge. What this
// process knows to have signed must still be there: if it is not, somebody changed the
// trail, and the log says so.
func (k *Keeper) Checkpoint(ctx context.Context, minAge time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	log := k.Hub.Log
	key, _, err := k.Hub.AuditKey(ctx)
	if err != nil {
		k.warn(ctx, err)
		return
	}
	if k.last.Signed != "" {
		signer, _ := hex.DecodeString(k.last.PublicKey) // of this process, whichever key is configured now
		faults, err := k.Hub.Store.CompareCheckpoint(ctx, k.last, store.CheckpointKeys{Others: []ed25519.PublicKey{signer}})
		if err == nil && len(faults) > 0 {
			log.ErrorContext(ctx, "the audit trail is not what this process signed: run scimhub audit verify", "faults", len(faults), "first", faults[0].Message)
			k.Hub.TellAuditBroken(ctx, len(faults), faults[0].Message)
		}
	}
	made, ok, err := k.Hub.Store.SignCheckpoint(ctx, key, minAge)
	if err != nil {
		k.warn(ctx, err)
		return
	}
	if ok {
		k.last = made
	}
}

func (k *Keeper) warn(ctx context.Context, err error) {
	if ctx.Err() == nil {
		k.Hub.Log.WarnContext(ctx, "the audit trail has no new checkpoint", "error", err)
	}
}
