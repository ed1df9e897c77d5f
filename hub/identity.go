package hub

import (
	"slices"

	"github.com/scimhub/scimhub/model"
)

// Resolve merges what the sources say of a person into one identity, with the
// dates read from the merged record and the rule about leave applied. It is pure: the
// stage follows from the result and a moment. A date that cannot be read, or that
// another contradicts, is a finding and no date; what then becomes of the stage is for
// stageOf to say.
func Resolve(snap *Snapshot, k Known) (model.Identity, []model.Finding) {
	doc, row := snap.Doc, k.Row
	i := model.Identity{ID: row.ID, Groups: k.Groups, ErasedAt: row.ErasedAt, LeftAt: row.LeftAt, Version: row.Version, MergedInto: row.MergedInto}
	resources := make([]model.SourceResource, len(k.Users))
	for n, u := range k.Users {
		resources[n] = model.SourceResource{Source: u.Source, ID: u.ID, Attrs: u.Attrs, Modified: u.Modified}
		userName, _ := u.Attrs["userName"].(string)
		externalID, _ := u.Attrs["externalId"].(string)
		i.Links = append(i.Links, model.Link{Source: u.Source, ResourceID: u.ID, UserName: userName, ExternalID: externalID, ModifiedAt: u.Modified})
	}
	if len(k.Users) == 0 { // deleted at the source: what was known last still names the person
		i.User, i.Origin = row.User, row.Origin
		return i, nil
	}
	if i.User, i.Origin = row.User, row.Origin; !k.past {
		i.User, i.Origin = model.Merge(resources, doc.Identity.Authority, doc.SourceNames())
	}
	dates, findings := datesOf(doc.Identity, i.User)
	i.StartsAt, i.EndsAt, i.LeaveFrom, i.LeaveUntil = dates.start, dates.end, dates.leaveFrom, dates.leaveUntil
	if snap.Policy == nil {
		return i, findings
	}
	away, err := snap.Policy.OnLeave(i)
	if err != nil {
		findings = append(findings, model.Finding{Kind: model.FindingRule, Subject: "leave", Message: err.Error()})
		away = row.Stage == model.Leave // neither sent away nor let back in by a rule that fails
	}
	i.OnLeave = away
	return i, findings
}

// Transition names what happened to a person between two evaluations: the events
// of their timeline. before is empty where the person was never evaluated.
//
//	before            after     grants      event
//	------------------------------------------------
//	none, prehire     active    –           joiner
//	leaver            active    –           rehire
//	leave             active    –           return
//	any other         leave     –           leave
//	any other         leaver    –           leaver
//	any other         prehire   –           prehire
//	any other         purged    –           purged
//	none              leaver    –           –
//	active, leave     same      differ      mover
func Transition(before, after model.Stage, gained, lost []string) string {
	switch {
	case after == before:
		if (after == model.Active || after == model.Leave) && len(gained)+len(lost) > 0 {
			return "mover"
		}
		return ""
	case after != model.Active:
		if before == "" && after == model.Leaver {
			return ""
		}
		return string(after)
	case before == model.Leave:
		return "return"
	case before == "" || before == model.Prehire:
		return "joiner"
	}
	return "rehire"
}

// rolesDiffer compares the roles held with those that should be.
func rolesDiffer(held, due []model.Grant) (gained, lost []string) {
	name := func(g model.Grant) string { return g.Role }
	had, has := names(held, name), names(due, name)
	for _, r := range has {
		if !slices.Contains(had, r) {
			gained = append(gained, r)
		}
	}
	for _, r := range had {
		if !slices.Contains(has, r) {
			lost = append(lost, r)
		}
	}
	return gained, lost
}

func names[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = name(e)
	}
	return out
}
