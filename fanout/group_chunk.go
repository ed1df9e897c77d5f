package fanout

import "github.com/scimhub/scimhub/model"

// membershipChunk is how many accounts are taken at a time at most where each only
// joins or leaves groups: many of them are one request.
const membershipChunk = 500

// chunkSize is how many accounts to take next.
func (r *runner) chunkSize(width int) int {
	size := r.tempo.chunk(width)
	if r.groups.light.Load() {
		return max(size, min(r.profile.Patch.MaxMemberChanges, membershipChunk))
	}
	return size
}

// onlyMemberships reports whether nothing is to be sent about the accounts themselves.
func onlyMemberships(jobs []*job) bool {
	some := false
	for _, j := range jobs {
		for _, c := range j.changes {
			if c.Held != "" {
				continue
			}
			if c.Verb != model.Join && c.Verb != model.Part {
				return false
			}
			some = true
		}
	}
	return some
}
