package fanout

import (
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// standingNotice tells that a target went into quarantine, or works again.
func standingNotice(target, action string, was, is Health) store.Notice {
	data := map[string]any{"target": target}
	if action == "target.quarantined" {
		data["reason"], data["error"] = is.Reason, is.LastError
	} else {
		data["quarantined_since"], data["reason"] = was.QuarantinedAt.UTC().Format(time.RFC3339), was.Reason
	}
	return store.Notice{Type: action, Subject: "target/" + target, Data: data}
}

// endingNotice tells, once for each distance, that the credential in use comes to its end.
func endingNotice(target, slot string, expires time.Time, days int) store.Notice {
	at := expires.UTC().Format(time.RFC3339)
	return store.Notice{Type: "credential.expiring", Subject: "target/" + target, Key: fmt.Sprintf("target/%s/%s/%s/%d", target, slot, at, days),
		Data: map[string]any{"kind": "target", "name": target, "slot": slot, "expires": at, "days": days}}
}

// driftNotice tells what a sweep found for the first time.
func driftNotice(target string, began time.Time, r SweepReport) store.Notice {
	data := map[string]any{"target": target, "new": r.New, "checked": r.Checked}
	for kind, n := range r.Kinds {
		data[kind] = n
	}
	return store.Notice{Type: "drift.found", Subject: "target/" + target, Key: fmt.Sprintf("%s/%d", target, began.UnixMicro()), Data: data}
}

// movedNotice tells that a target is held because its URL leads to another tenant.
func movedNotice(target string, m store.Moved) store.Notice {
	return store.Notice{Type: "plan.held", Subject: "target/" + target, Key: target + "/" + m.Digest, Data: map[string]any{"target": target, "reason": m.Words}}
}
