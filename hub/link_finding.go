package hub

import (
	"fmt"

	"github.com/scimhub/scimhub/model"
)

// caseFinding tells that it is open who a person is.
func caseFinding(k Known) []model.Finding {
	c := k.Case
	if c == nil || k.Row.MergedInto != "" || len(k.Users) == 0 {
		return nil
	}
	message := fmt.Sprintf("%s/%s could be one of %s by %s", c.Source, c.ResourceID, listed(c.Candidates), c.Rule)
	if len(c.Candidates) == 1 {
		message = fmt.Sprintf("%s/%s could be %s by %s", c.Source, c.ResourceID, c.Candidates[0], c.Rule)
	}
	if c.Blocks {
		message += "; nothing is granted before somebody decides"
	}
	return []model.Finding{{Kind: model.FindingMatch, Subject: c.Source + "/" + c.ResourceID, Source: c.Source,
		Message: message + fmt.Sprintf(": scimhub identity link %s --to PERSON, or --new", c.Identity)}}
}
