package app

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// fates is what the application knows of accounts beyond their attributes. The
// mutex is held through every write.
type fates struct {
	mu       sync.Mutex
	verified []string // domains; nil means all but unverifiedDomain
	owner    string   // userName, in lower case

	token   string // the one that is accepted; "" means any
	revoked bool   // with its owner

	invited    map[string]bool   // ids of those who have not accepted
	unreadable map[string][]any  // e-mail addresses of suspended users by id
	mailboxes  map[string]string // id of the user by e-mail address
	ended      map[string]bool   // names that can never be used again, see namesOf
	bin        map[string]binned // deleted users by name
	nextID     string            // of the user that is being created, who comes out of the bin
}

type binned struct {
	id    string
	until time.Time
}

// unverifiedDomain is never verified unless it is named.
const unverifiedDomain = "unverified.example"

func newFates(o Options) *fates {
	return &fates{verified: o.Domains, owner: strings.ToLower(o.Owner), token: o.Token, invited: map[string]bool{}, unreadable: map[string][]any{},
		mailboxes: map[string]string{}, ended: map[string]bool{}, bin: map[string]binned{}}
}

// namesOf are the names that a user is known by.
func namesOf(attrs map[string]any) []string {
	var out []string
	for _, name := range []string{"userName", "externalId"} {
		if v, _ := attrs[name].(string); v != "" {
			out = append(out, name+" "+strings.ToLower(v))
		}
	}
	return out
}

func isActive(attrs map[string]any) bool { return attrs["active"] != false }

func (f *fates) owns(attrs map[string]any) bool {
	name, _ := attrs["userName"].(string)
	return f.owner != "" && strings.EqualFold(name, f.owner)
}

func isOwner(attrs map[string]any) bool {
	roles, _ := attrs["roles"].([]any)
	return slices.ContainsFunc(roles, func(r any) bool {
		m, _ := r.(map[string]any)
		return m["value"] == "owner"
	})
}

// foreign is the domain of a user that is not verified; empty if all are.
func (f *fates) foreign(attrs map[string]any) string {
	name, _ := attrs["userName"].(string)
	for _, address := range append(emailsOf(attrs), strings.ToLower(name)) {
		_, domain, ok := strings.Cut(address, "@")
		if ok && (f.verified == nil && domain == unverifiedDomain || f.verified != nil && !slices.Contains(f.verified, domain)) {
			return domain
		}
	}
	return ""
}

// taken is the conflict over an e-mail address; nil if there is none.
func (f *fates) taken(id string, attrs map[string]any) error {
	for _, address := range emailsOf(attrs) {
		if holder, ok := f.mailboxes[address]; ok && holder != id {
			return scim.Errorf(http.StatusConflict, scim.Uniqueness, "emails: another user has this address already")
		}
	}
	return nil
}

// register remembers the addresses of a user; no attributes: none any more.
func (f *fates) register(id string, attrs map[string]any) {
	maps.DeleteFunc(f.mailboxes, func(_, holder string) bool { return holder == id })
	for _, address := range emailsOf(attrs) {
		f.mailboxes[address] = id
	}
}

// admit says whether somebody can be created, and returns what is stored of them.
func (h habits) admit(attrs map[string]any) (map[string]any, error) {
	p, f := h.profile, h.fates
	refuse := func(what string, status int, scimType, text string) (map[string]any, error) {
		if what != "" {
			h.counter.forbid(what)
		}
		return nil, scim.Errorf(status, scimType, "%s", text)
	}
	names := namesOf(attrs)
	switch {
	case p.GuardsOwner && (f.owns(attrs) || isOwner(attrs)):
		return refuse(ForbiddenOperation, http.StatusBadRequest, scim.InvalidValue, "the owner cannot be created")
	case slices.ContainsFunc(names, func(n string) bool { return f.ended[n] }):
		return refuse(ForbiddenOperation, http.StatusConflict, scim.Uniqueness, "this identity was ended for good and cannot be used again")
	case p.Licences > 0 && h.store.Len("User") >= p.Licences:
		return refuse("", http.StatusBadRequest, "", "no licence is left: all basic users are in use")
	}
	if err := f.taken("", attrs); p.UniqueEmails && err != nil {
		return nil, err
	}
	f.nextID = ""
	for _, n := range names {
		if b, ok := f.bin[n]; ok && h.now().Before(b.until) {
			f.nextID = b.id
			maps.DeleteFunc(f.bin, func(_ string, other binned) bool { return other.id == b.id })
			break
		}
	}
	attrs = h.mailbox(attrs)
	if p.Invites {
		attrs = maps.Clone(attrs)
		attrs["userType"] = "invited"
	}
	return attrs, nil
}

// mailbox gives an account the one address that it can have, where that is its name.
func (h habits) mailbox(attrs map[string]any) map[string]any {
	list, _ := attrs["emails"].([]any)
	if !h.profile.EmailIsUserName || len(list) == 0 {
		return attrs
	}
	first, _ := list[0].(map[string]any)
	if first["value"] == attrs["userName"] {
		return attrs
	}
	attrs, first = maps.Clone(attrs), maps.Clone(first)
	first["value"] = attrs["userName"]
	attrs["emails"] = append([]any{first}, list[1:]...)
	return attrs
}

// verdict is what becomes of a change to a user.
type verdict struct {
	attrs   map[string]any // stored instead of what was asked; nil means as asked
	off     bool           // switched off by it
	destroy bool           // is gone afterwards
}

// judge says what a change does to a user.
func (h habits) judge(id string, before, next map[string]any) (verdict, error) {
	if err := h.protest(before, next); err != nil {
		return verdict{}, err
	}
	p, f := h.profile, h.fates
	if err := f.taken(id, next); p.UniqueEmails && err != nil {
		return verdict{}, err
	}
	v := verdict{off: isActive(before) && !isActive(next)}
	v.destroy = v.off && p.Invites && f.invited[id]
	stored := h.mailbox(next)
	if p.GuardsOwner && f.owns(before) && !reflect.DeepEqual(before["roles"], next["roles"]) {
		stored = maps.Clone(stored)
		stored["roles"] = before["roles"] // without a word
	}
	if p.Obfuscates {
		stored = f.veil(id, before, stored)
	}
	if !reflect.DeepEqual(stored, next) {
		v.attrs = stored
	}
	return v, nil
}

// protest refuses changes that are not possible for this user.
func (h habits) protest(before, next map[string]any) error {
	p, f := h.profile, h.fates
	refuse := func(what, text string) error {
		h.counter.forbid(what)
		return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s", text)
	}
	off, back := isActive(before) && !isActive(next), !isActive(before) && isActive(next)
	foreign := f.foreign(before)
	if foreign == "" {
		foreign = f.foreign(next)
	}
	renamed := !reflect.DeepEqual(before["userName"], next["userName"]) || !reflect.DeepEqual(before["name"], next["name"]) ||
		!reflect.DeepEqual(before["displayName"], next["displayName"]) || !reflect.DeepEqual(before["emails"], next["emails"])
	switch {
	case p.GuardsOwner && off && f.owns(before):
		return refuse(ForbiddenOperation, "the owner cannot be deactivated")
	case p.GuardsOwner && !f.owns(before) && isOwner(next):
		return refuse(ForbiddenOperation, "nobody can be made owner")
	case p.FrozenWhenInactive && !isActive(before) && !isActive(next):
		return refuse(ForbiddenInactive, "a deactivated user cannot be changed")
	case p.KeepsExternalID && back && !reflect.DeepEqual(before["externalId"], next["externalId"]):
		return refuse(ForbiddenOperation, "externalId: a suspended user comes back under the same one only")
	case p.VerifiedDomains == "all" && foreign != "", p.VerifiedDomains == "names" && foreign != "" && renamed:
		return refuse(ForbiddenUnverified, "the domain "+foreign+" is not verified")
	}
	return nil
}

// veil makes the e-mail addresses of a suspended user unreadable, and readable again
// when the user comes back.
func (f *fates) veil(id string, before, next map[string]any) map[string]any {
	hidden, was := f.unreadable[id]
	untouched := reflect.DeepEqual(before["emails"], next["emails"])
	if isActive(next) {
		delete(f.unreadable, id)
		if !was || !untouched {
			return next
		}
		next = maps.Clone(next)
		next["emails"] = hidden
		return next
	}
	list, _ := next["emails"].([]any)
	if len(list) == 0 || was && untouched {
		return next
	}
	f.unreadable[id] = list
	veiled := make([]any, len(list))
	for i, e := range list {
		m, _ := e.(map[string]any)
		m = maps.Clone(m)
		address, _ := m["value"].(string)
		sum := sha256.Sum256([]byte(id + address))
		m["value"] = hex.EncodeToString(sum[:6]) + "@users.noreply.invalid"
		veiled[i] = m
	}
	next = maps.Clone(next)
	next["emails"] = veiled
	return next
}
