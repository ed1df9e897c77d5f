package hub

import (
	"context"
	"fmt"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Who asks for something, or answers.
type Who struct {
	Name     string // of the credential
	Person   string // userName or id of whom it acts for; empty: nobody
	Operator bool   // may ask, revoke and name deputies for anybody
	Override bool   // may answer in the place of whoever is asked
}

// asker is Who with the person found.
type asker struct {
	id, name           string // of the person; without one the name is that of the credential
	operator, override bool
	credential         string
}

// actor is who asks, as the audit trail names them.
func (a asker) actor() string {
	if a.id == "" {
		return a.credential
	}
	return "person " + a.name
}

// acting finds the person for whom a credential acts, who must still be here.
func acting(tx *store.Tx, by Who) (asker, error) {
	a := asker{name: by.Name, credential: by.Name, operator: by.Operator, override: by.Override}
	if by.Person == "" {
		if !by.Operator && !by.Override {
			return a, model.Fail(model.Forbidden, fmt.Sprintf("the token %s acts for nobody: give it a person in admin.tokens", by.Name), nil)
		}
		return a, nil
	}
	row, err := tx.FindIdentity(by.Person)
	if err != nil {
		if model.CodeOf(err) == model.Internal {
			return a, err
		}
		return a, model.Fail(model.Forbidden, fmt.Sprintf("the token %s acts for %q, who is not known", by.Name, by.Person), err)
	}
	if row.Stage != model.Active && row.Stage != model.Leave {
		return a, model.Fail(model.Forbidden, fmt.Sprintf("the token %s acts for %s, who %s", by.Name, row.Name, stageWords(row.Stage)), nil)
	}
	cases, err := tx.OpenCases(row.ID)
	if err != nil {
		return a, err
	}
	for _, c := range cases { // who asks may be who decides
		if c.Blocks {
			return a, model.Fail(model.Forbidden, fmt.Sprintf("the token %s acts for %s, of whom it is not decided who they are (case %s)", by.Name, row.Name, c.ID), nil)
		}
	}
	a.id, a.name = row.ID, row.Name
	return a, nil
}

// beingSomebody is acting for who sees what concerns themselves alone: Forbidden where
// the credential acts for nobody, to whom nothing would be limited.
func beingSomebody(tx *store.Tx, by Who) (asker, error) {
	me, err := acting(tx, by)
	if err == nil && me.id == "" {
		err = model.Fail(model.Forbidden, fmt.Sprintf("the token %s may not see everything, and acts for nobody of whom it could see something", by.Name), nil)
	}
	return me, err
}

// Gone says in words why a credential opens nothing any more, not even for looking:
// whom it acts for has left. Who is held by the guard of a source may have left by its
// mistake, and somebody has to be able to look into it. Empty: it does, or the person is
// not known, which is told where it matters.
func (h *Hub) Gone(ctx context.Context, by Who) (why string, err error) {
	if by.Person == "" {
		return "", nil
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		why = ""
		row, err := tx.FindIdentity(by.Person)
		if code := model.CodeOf(err); err != nil && (code == model.NotFound || code == model.Conflict) {
			return nil
		}
		if err == nil && (row.Stage == model.Leaver || row.Stage == model.Purged) && !row.OverGuard {
			why = fmt.Sprintf("the token %s acts for %s, who %s", by.Name, row.Name, stageWords(row.Stage))
		}
		return err
	})
	return why, err
}

// StillHere says whether a credential may decide anything: Forbidden where it acts for
// a person who is not here any more, or of whom it is not known who they are.
func (h *Hub) StillHere(ctx context.Context, by Who) error {
	if by.Person == "" {
		return nil
	}
	return h.Store.View(ctx, func(tx *store.Tx) error {
		_, err := acting(tx, by)
		return err
	})
}

// Self is StillHere, and the identity for whom the credential acts; empty: nobody.
func (h *Hub) Self(ctx context.Context, by Who) (id string, err error) {
	if by.Person == "" {
		return "", nil
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		id = me.id
		return err
	})
	return id, err
}

// personFor finds who a role is asked for; whoever asks, where nobody is named.
func personFor(tx *store.Tx, me asker, name string) (string, error) {
	if name == "" {
		if me.id == "" {
			return "", model.Fail(model.Invalid, "for is missing: who is to hold the role", nil)
		}
		return me.id, nil
	}
	row, err := tx.FindIdentity(name)
	return row.ID, err
}

// AboutOthers says whether a credential may decide something about people: Forbidden as
// StillHere, and where it acts for one of them. Who is not found is nobody's self; what
// comes next will say so.
func (h *Hub) AboutOthers(ctx context.Context, by Who, people ...string) error {
	if by.Person == "" {
		return nil
	}
	return h.Store.View(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		for _, name := range people {
			row, err := tx.FindIdentity(name)
			if err != nil && model.CodeOf(err) == model.Internal {
				return err
			}
			if err == nil && row.ID == me.id {
				return model.Fail(model.Forbidden, fmt.Sprintf("the token %s acts for %s: nobody decides about themselves", by.Name, me.name), nil)
			}
		}
		return nil
	})
}
