package fanout

import "github.com/scimhub/scimhub/model"

// erased reports whether a row is of somebody whose data was erased: what was applied
// has no name any more. Such an account is known by its id alone, and nothing that the
// target shows of it is kept. It must not let anybody in again.
func erased(row model.AccountRow) bool {
	return !isForeign(row) && row.Desired == nil && row.Applied != nil && row.Applied.UserName == ""
}
