package signin

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// rights works out who somebody is and what they may do now, from what was known at
// sign-in, the configuration in force and the person as they are. why says in words
// why the session cannot go on; empty: it does.
//
//	session by   goes on while
//	------------------------------------------------------------------------
//	provider     that provider is configured, and its claim gives the same role
//	link         it lasts
//	API token    that very token is in force, with the same role
//	any          the person, where there is one, has not left
func (s *SignIn) rights(f found) (c admin.Caller, why string) {
	if why := gone(f.row); why != "" {
		return c, why
	}
	c = admin.Caller{Name: f.row.Name, Role: f.row.Role, Person: f.row.Person, Session: f.row.ID}
	switch f.row.Kind {
	case byProvider:
		why = sameRole(s.o.Hub.Snapshot().Doc.Admin.OIDC, f.row, f.facts.Values)
	case byToken:
		c, why = tokenRights(s.o.Tokens.InForce(), f)
	case byLink:
	default:
		why = "how they signed in is not known"
	}
	return c, why
}

// gone says that somebody has left. Who is held by the guard of a source may have left
// by its mistake and is not put out: somebody has to be able to look into it.
func gone(row store.Session) string {
	switch {
	case row.Kind == byToken || row.Person == "": // a token says itself for whom it acts
		return ""
	case row.Stage == "":
		return "the person is not known any more"
	case (row.Stage == model.Leaver || row.Stage == model.Purged) && !row.PersonHeld:
		return row.PersonName + " has left"
	case row.Role == admin.RolePerson && row.Stage == model.Prehire:
		return row.PersonName + " is not here yet"
	}
	return ""
}

// sameRole says why the role that somebody signed in with is not theirs any more.
func sameRole(o *config.OIDC, row store.Session, values []string) string {
	if o == nil || o.Issuer != row.Issuer {
		return "signing in through " + row.Issuer + " is not configured any more"
	}
	switch now := roleOf(*o, values, row.Person); now {
	case row.Role:
		return ""
	case "":
		return "the configuration gives them no role any more"
	default:
		return fmt.Sprintf("the configuration gives them the role %s instead of %s", now, row.Role)
	}
}

// roleOf is the role of who has these values of the claim and is that person; empty:
// none.
func roleOf(o config.OIDC, values []string, person string) string {
	if role := o.StrongestRole(values); role != "" {
		return role
	}
	if person != "" {
		return admin.RolePerson
	}
	return ""
}

// tokenRights are those of the API token that was shown at sign-in.
func tokenRights(list []admin.Token, f found) (admin.Caller, string) {
	for _, t := range list {
		if t.Name != f.facts.Token || !hmac.Equal(proofOf(f.token, t), f.facts.Proof) {
			continue
		}
		if t.Role != f.row.Role {
			return admin.Caller{}, fmt.Sprintf("the token %s has the role %s now", t.Name, t.Role)
		}
		c := t.Caller
		c.Session = f.row.ID
		return c, ""
	}
	return admin.Caller{}, fmt.Sprintf("the token %s, which they signed in with, is not in force any more", f.facts.Token)
}

// proofOf ties a session to an API token: only who has the browser's token, which is not
// stored, can tell from it which token it was, so that one which people chose is not
// guessed from the database.
func proofOf(session string, t admin.Token) []byte {
	h := hmac.New(sha256.New, []byte(session))
	h.Write(t.Hash[:])
	return h.Sum(nil)
}
