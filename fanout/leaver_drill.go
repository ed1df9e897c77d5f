package fanout

import "github.com/scimhub/scimhub/model"

// DrillExempt says why a drill must leave a target out: switching an account off there
// could not be taken back, or is nothing the hub can do. Empty: it need not.
func DrillExempt(t model.Target) string {
	p, err := ProfileOf(t)
	switch {
	case err != nil:
		return "left out: " + err.Error()
	case p.Disable != "active":
		return "left out: the application cannot switch accounts off and on again"
	case p.DisableDestroys != "":
		return "left out: switching an account off destroys " + p.DisableDestroys
	case p.DisablePendingUser == "deletes" && p.Pending == "":
		return "left out: the application deletes accounts whose invitation is open, and they cannot be told"
	case p.UpdateWhenInactive == "no":
		return "left out: the application does not change accounts that are off, so it could not be given back"
	}
	return ""
}
