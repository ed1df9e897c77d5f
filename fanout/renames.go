package fanout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// Whoever takes over somebody's user name has to wait until it is given up. Within a
// chunk the one who gives it up goes first; else the refusal says whom it waits for, and
// it is tried again soon. Where people swap names in a circle, one of them goes out of
// the way under another name for a moment.

const (
	renameSoon  = 2 * time.Second // until a name that is being given up is tried again
	renameTries = 10              // so often; then as often as any conflict
	renameHops  = 20              // people in a circle at most
)

// renames gives the user names that an account gives up and takes; ok is false where it
// keeps its own.
func renames(changes []model.Change) (from, to string, ok bool) {
	for _, c := range changes {
		if (c.Verb == model.Update || c.Verb == model.Adopt) && c.Held == "" && c.Before != nil && c.After != nil {
			from, to = scim.Fold(c.Before.UserName), scim.Fold(c.After.UserName)
			if from != to {
				return from, to, true
			}
		}
	}
	return "", "", false
}

// waves puts jobs into an order in which every user name is free before it is taken:
// those of one wave may run at once. Who is in a circle is in the first one.
func waves(jobs []*job) [][]*job {
	holder := map[string]int{} // name given up -> job
	wants := make([]string, len(jobs))
	for i, j := range jobs {
		if from, to, ok := renames(j.changes); ok {
			holder[from], wants[i] = i, to
		}
	}
	if len(holder) == 0 {
		return [][]*job{jobs}
	}
	out := [][]*job{nil}
	for i := range jobs {
		depth, at := 0, i
		for wants[at] != "" && depth <= len(jobs) {
			next, given := holder[wants[at]]
			if !given {
				break
			}
			at = next
			depth++
		}
		if depth > len(jobs) { // it never ends: a circle, or behind one
			depth = 0
		}
		for len(out) <= depth {
			out = append(out, nil)
		}
		out[depth] = append(out[depth], jobs[i])
	}
	return out
}

// nameTaken meets a rename that the target refuses. It finds out who has the name and
// whether they are about to give it up. A name that is free by now is taken at once: no
// error means that the change is made.
func (r *runner) nameTaken(ctx context.Context, j *job, c model.Change, refusal error) error {
	circle := []string{j.row.Identity}
	name, mine := c.After.UserName, scim.Fold(c.Before.UserName)
	for range renameHops {
		row, words := r.holderOf(ctx, name)
		switch {
		case words == nobody && len(circle) == 1: // given up since then, unless look-ups do not show who has it
			err := r.timed(string(c.Verb), func() error { return r.attempt(ctx, j, c) })
			if ClassOf(err) == Conflict {
				return refusal
			}
			return err
		case words != "" && slices.Contains(circle[1:], row.Identity): // moved on while we looked
			return r.later(j, fmt.Sprintf("waits until the user name %q is free", c.After.UserName))
		case words != "" && len(circle) == 1:
			return &ClientError{Class: Conflict, Status: asClientError(refusal).Status, Detail: words}
		case words == nobody: // the last of the line is free to move
			return r.later(j, fmt.Sprintf("waits until identity %s gives up the user name %q", circle[1], c.After.UserName))
		case words != "":
			return &ClientError{Class: Conflict, Status: asClientError(refusal).Status, Detail: fmt.Sprintf("the user name %q is that of identity %s, who cannot give it up: %s", c.After.UserName, circle[1], words)}
		case slices.Contains(circle, row.Identity):
			return refusal
		}
		circle = append(circle, row.Identity)
		if name = r.profile.Canonical(*row.Desired).UserName; scim.Fold(name) == mine {
			return r.turnAside(ctx, j, c, circle)
		}
	}
	return refusal
}

// nobody says that a user name is free.
const nobody = "nobody has it"

// holderOf is the row of the account that has a user name, as far as the hub knows it.
// Where that one is not about to get another name, words say why.
func (r *runner) holderOf(ctx context.Context, name string) (row model.AccountRow, words string) {
	u, found, err := r.filter(ctx, "lookup", "userName", name)
	if err != nil || !found {
		return row, nobody
	}
	rows, err := r.w.Store.AccountsByRemote(ctx, r.target.Name, []string{u.ID})
	rows = slices.DeleteFunc(rows, isForeign)
	switch {
	case err != nil || len(rows) == 0:
		return row, fmt.Sprintf("the user name %q is that of account %s, which is nobody's the hub knows", name, u.ID)
	case rows[0].State == model.StateInSync && !rows[0].Due && rows[0].Applied != nil && scim.Fold(rows[0].Applied.UserName) != scim.Fold(name):
		return rows[0], nobody // given up since the look-up
	case rows[0].Desired == nil || scim.Fold(r.profile.Canonical(*rows[0].Desired).UserName) == scim.Fold(name):
		return rows[0], fmt.Sprintf("the user name %q is that of identity %s", name, rows[0].Identity)
	case rows[0].State == model.StateHeld || !rows[0].Due:
		return rows[0], fmt.Sprintf("the user name %q is that of identity %s, whose own change waits for a person", name, rows[0].Identity)
	}
	return rows[0], ""
}

// later has a job tried again soon, in words.
func (r *runner) later(j *job, words string) error {
	if j.row.Attempts < renameTries {
		j.soon = renameSoon
	}
	return &ClientError{Class: Conflict, Detail: words}
}

// turnAside breaks a circle: the first of its people by id takes another name for a
// moment, and everybody else waits for that.
func (r *runner) turnAside(ctx context.Context, j *job, c model.Change, circle []string) error {
	words := fmt.Sprintf("identities %s swap their user names", strings.Join(circle, ", "))
	if slices.Min(circle) != j.row.Identity || j.row.Applied == nil {
		return r.later(j, words+": waits for its turn")
	}
	before := *j.row.Applied
	after := before
	after.UserName = passing(r.target.Name, j.row.Identity, c.After.UserName, r.profile.Limits["userName"].Len)
	if r.profile.Rename.Email && slices.ContainsFunc(r.profile.UniqueScope, func(a string) bool { return strings.EqualFold(a, "emails") }) {
		after.Attrs = r.asideMail(before, j.row.Identity)
	}
	step := c
	step.Verb, step.Before, step.After = model.Update, &before, &after
	step.Fields, step.Because = differences(before, after), []string{words + ": out of the way for a moment"}
	u, err := r.conn.Update(ctx, j.row.RemoteID, before, after)
	if err == nil {
		err = r.wrote(j, step, u, nil)
	}
	if err != nil {
		return err
	}
	j.did(step)
	return r.later(j, words+": has another one for a moment")
}

// asideMail are the attributes of an account with other e-mail addresses, where no two
// accounts may share one: who swaps user names swaps addresses, too.
func (r *runner) asideMail(a model.Account, identity string) map[string]any {
	n := 0
	other := func(address string) string {
		n++
		return passing(r.target.Name, fmt.Sprint(identity, n), address, 0)
	}
	out := maps.Clone(a.Attrs)
	for key, value := range out {
		path, err := parseAttr(key)
		if err != nil || path.uri != "" || !strings.EqualFold(path.attr, "emails") {
			continue
		}
		switch v := value.(type) {
		case string:
			if path.sub == "" || strings.EqualFold(path.sub, "value") {
				out[key] = other(v)
			}
		case []any:
			out[key] = otherMail(v, other)
		}
	}
	return out
}

// otherMail is a list of e-mail addresses with other ones in their places.
func otherMail(list []any, other func(string) string) []any {
	out := slices.Clone(list)
	for i, entry := range out {
		one, is := entry.(map[string]any)
		address, isText := one["value"].(string)
		if !is || !isText {
			continue
		}
		one = maps.Clone(one)
		one["value"] = other(address)
		out[i] = one
	}
	return out
}

// passing is a user name that nobody has, of the form of another one where that is no
// longer than what the application takes; 0 takes any length.
func passing(target, identity, name string, most int) string {
	sum := sha256.Sum256([]byte("passing\x00" + target + "\x00" + identity))
	short := "moving-" + hex.EncodeToString(sum[:4])
	_, domain, isAddress := strings.Cut(name, "@")
	if isAddress && (most == 0 || len([]rune(short+"@"+domain)) <= most) {
		return short + "@" + domain
	}
	return short
}
