package admin

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// maxCounted is how many accounts a target may have for the members of its groups to be
// counted where all groups are listed.
const maxCounted = 5000

// GroupAt is a group with the name of its target.
type GroupAt struct {
	Target string `json:"target"`
	GroupView
	// Counted says whether members and expected were counted: at a target with very
	// many accounts they are not.
	Counted bool `json:"counted"`
}

// groupStates are the states that groups are in.
var groupStates = []string{string(model.StatePending), string(model.StateInSync), string(model.StateFailed), string(model.StateHeld)}

// allGroups lists the groups of all targets, or of one, by target and name:
// GET /groups?target=&q=&state=.
func (a *API) allGroups(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	q := r.URL.Query()
	only, f := q.Get("target"), store.GroupFilter{Prefix: q.Get("q"), State: q.Get("state")}
	if f.State != "" && !slices.Contains(groupStates, f.State) {
		return nil, model.Fail(model.Invalid, "state: groups are pending, in_sync, failed or held", nil)
	}
	at, err := readGroupCursor(q.Get("cursor"))
	if err != nil {
		return nil, err
	}
	targets := slices.SortedFunc(slices.Values(snap.Doc.Targets), func(x, y model.Target) int { return cmp.Compare(x.Name, y.Name) })
	var out []GroupAt
	for _, t := range targets {
		if only != "" && t.Name != only || t.Name < at[0] {
			continue
		}
		if f.After = ""; t.Name == at[0] {
			f.After = at[1]
		}
		f.Limit = limit - len(out) + 1
		found, err := a.groupsAt(r, t, f)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		if len(out) > limit {
			last := out[limit-1]
			return list(out[:limit], groupCursor(last.Target, last.Name)), nil
		}
	}
	return list(out, ""), nil
}

func (a *API) groupsAt(r *http.Request, t model.Target, f store.GroupFilter) ([]GroupAt, error) {
	profile, err := fanout.ProfileOf(t)
	if err != nil {
		return nil, err
	}
	groups, err := a.Hub.Store.GroupPage(r.Context(), t.Name, f)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	many, err := a.Hub.Store.MoreAccounts(r.Context(), t.Name, maxCounted)
	if err != nil {
		return nil, err
	}
	counts := map[string]store.GroupCount{}
	if !many {
		if counts, err = a.groupCounts(r.Context(), t.Name); err != nil {
			return nil, err
		}
	}
	out := make([]GroupAt, len(groups))
	for i, g := range groups {
		out[i] = GroupAt{Target: t.Name, GroupView: viewGroup(t, profile, g, counts), Counted: !many}
	}
	return out, nil
}

func groupCursor(target, name string) string {
	text, err := json.Marshal([2]string{target, name})
	if err != nil { // two texts can always be encoded
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readGroupCursor(cursor string) (at [2]string, err error) {
	if cursor == "" {
		return at, nil
	}
	text, err := decodeCursor(cursor)
	if err != nil {
		return at, err
	}
	if err := json.Unmarshal([]byte(text), &at); err != nil || strings.ContainsRune(at[0]+at[1], 0) {
		return at, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
	}
	return at, nil
}
