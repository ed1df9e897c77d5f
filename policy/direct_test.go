package policy

import "github.com/scimhub/scimhub/model"

// Direct calls every compiled condition for an identity, one after the other, and
// counts those that hold: the floor that an evaluation without an index is measured by.
func (e *Engine) Direct(i model.Identity) (held int) {
	v := vars{newUser(e.language.provider.user, i)}
	for _, c := range e.conditions {
		if ok, err := c.holds(v); ok && err == nil {
			held++
		}
	}
	return held
}
