package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// done says in words what is done where the name of an action does not.
var done = map[string]string{ //nolint:gochecknoglobals // read only
	"api.refused": "Was refused at the API", "scim.refused": "Was refused at SCIM",
	"scim.create": "Pushed something new", "scim.modify": "Pushed a change", "scim.delete": "Took something away",
	"config.apply": "Put a configuration in force", "config.rollback": "Went back to a configuration",
	"identity.joiner": "Joined", "identity.mover": "Moved", "identity.leaver": "Left", "identity.leave": "Is away", "identity.return": "Is back", "identity.rehire": "Was hired again",
	"identity.prehire": "Is to join", "identity.erase": "Was erased", "identity.release": "Was let go", "identity.run": "Was run by hand", "identity.linked": "Turned out to be somebody known", "identity.unlinked": "Was taken apart",
	"target.create": "Account made", "target.update": "Account changed", "target.disable": "Account switched off", "target.delete": "Account deleted", "target.adopt": "Account taken over",
	"target.join": "Put into a group", "target.part": "Taken out of a group", "target.create-group": "Group made", "target.adopt-group": "Group taken over", "target.rename-group": "Group renamed", "target.delete-group": "Group deleted",
	"target.report": "Found to differ", "target.held": "Changes held", "target.release": "Held changes let through", "target.pause": "Paused", "target.resume": "Resumed", "target.quarantined": "Left alone for now",
	"target.group.wanted": "Group wanted", "source.release": "Let held leavers go", "source.import": "Imported rows", "leaver.late": "Goal for a leaver missed",
	"token.create": "Made a token", "token.rotate": "Gave a token a new secret", "token.revoke": "Ended a token",
	"session.start": "Signed in", "session.end": "Signed out", "sign-in-link.create": "Made a link to sign in",
	"audit.prune": "Old entries removed", "audit.erase": "Data of entries erased", "notify.retry": "Sent a message again",
}

func doneWords(action string) string {
	if text, ok := done[action]; ok {
		return text
	}
	return sentence(action)
}

// longGlance is how long what an entry holds may be in one line, characters.
const longGlance = 110

// glance is what matters most of an entry's data, in one line.
func glance(data []byte) string {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil || len(fields) == 0 {
		return ""
	}
	var parts []string
	for _, name := range []string{"group", "reason", "because", "stage", "gained", "lost", "fields", "facts", "count"} {
		value, there := fields[name]
		if !there {
			continue
		}
		if text := oneLine(value); text != "" {
			parts = append(parts, name+": "+text)
		}
	}
	if parts == nil {
		parts = append(parts, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
	}
	text := []rune(strings.Join(parts, "; "))
	if len(text) > longGlance {
		return string(text[:longGlance-1]) + "…"
	}
	return string(text)
}

// oneLine writes a value of an entry: text, a list of them, or of fields that changed.
func oneLine(v any) string {
	switch v := v.(type) {
	case nil, map[string]any:
		return ""
	case []any:
		var parts []string
		for _, one := range v {
			if field, ok := one.(map[string]any); ok {
				for _, name := range []string{"path", "attribute"} {
					if path, ok := field[name].(string); ok {
						parts = append(parts, path)
					}
				}
				continue
			}
			parts = append(parts, oneLine(one))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}
