package hub

import (
	"reflect"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// takesAway reports whether a change of a resource may end or suspend somebody's
// access, so that nothing less pressing goes before it: they were made inactive, a date
// of their end or leave is another, or the rule about leave says otherwise now.
func takesAway(snap *Snapshot, before, after map[string]any) bool {
	if turnedOff(before, after) {
		return true
	}
	return snap != nil && (datesMoved(snap.Doc.Identity, before, after) || leaveMoved(snap, before, after))
}

// leaveMoved reports whether the rule about leave says otherwise of a resource than it
// did. It reads this resource alone: what others say of the person is merged later.
func leaveMoved(snap *Snapshot, before, after map[string]any) bool {
	if snap.Policy == nil || snap.Doc.Identity.Leave.When == "" {
		return false
	}
	was, failed := snap.Policy.OnLeave(model.Identity{User: before})
	is, fails := snap.Policy.OnLeave(model.Identity{User: after})
	return was != is || (failed == nil) != (fails == nil)
}

func datesMoved(c config.Identity, before, after map[string]any) bool {
	for _, path := range []string{c.End, c.Last, c.Leave.From, c.Leave.Until} {
		if path == "" {
			continue
		}
		p, err := scim.ParsePath(path)
		if err == nil && !reflect.DeepEqual(model.AttributeAt(before, p), model.AttributeAt(after, p)) {
			return true
		}
	}
	return false
}
