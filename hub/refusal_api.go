package hub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/scimserver"
)

// Limits of what is looked up and kept of a reason.
const (
	maxReason   = 300 // bytes
	reasonWords = 100
	nameWords   = 3 // of a name
	lookAtMost  = 2 * time.Second
)

// APIRefusal is a request of an operator, or of a stranger, that the API refused: who
// may not do this, or what a guard, a digest or somebody else's change forbids.
type APIRefusal struct {
	Actor  string // of a known token; empty: a stranger
	Remote string // address of the other side, without its port
	Method string
	Route  string // the address as the table of routes has it; never what the client wrote
	Person string // whom the request was about, as its address names them; may be empty
	Status int
	Reason string // the message that was answered
}

// AddAPI notes a refusal of the API, like Add. Whom it names is looked up first: the
// audit trail has their ids, for an entry may be written when they are erased, and may
// be about somebody whom its reason names alone.
func (r *Refusals) AddAPI(ctx context.Context, f APIRefusal) {
	kind := refusalKind{API: true, Name: f.Actor, Remote: f.Remote, Method: f.Method, Resource: "api", Status: f.Status, Reason: f.Reason}
	set := &r.strangers
	if f.Actor != "" {
		set = &r.sources
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookAtMost)
		defer cancel()
		var err error
		if kind.Reason, kind.Person, err = r.withoutNames(ctx, f); err != nil {
			r.log.WarnContext(ctx, "whom a refusal of the API names cannot be looked up", "error", err)
			kind.Reason = refusalReason(scimserver.Refusal{Status: f.Status})
		}
	}
	for len(kind.Reason) > maxReason {
		_, size := utf8.DecodeLastRuneInString(kind.Reason)
		kind.Reason = kind.Reason[:len(kind.Reason)-size]
	}
	now := r.store.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	c := set.counter(kind, now)
	if c.n == 0 {
		c.first, c.path = now, f.Route
	}
	c.n, c.last = c.n+1, now
}

// withoutNames is the reason of a refusal with ids in the place of people's names, and
// the id of whom it is about.
func (r *Refusals) withoutNames(ctx context.Context, f APIRefusal) (reason, person string, err error) {
	words := strings.Fields(f.Reason)
	words = words[:min(len(words), reasonWords)]
	err = r.store.View(ctx, func(tx *store.Tx) error {
		if f.Person != "" {
			row, err := tx.FindIdentity(f.Person)
			if known, ok := errors.AsType[*model.Error](err); err != nil && !(ok && (known.Code == model.NotFound || known.Code == model.Conflict)) {
				return err
			}
			person = row.ID
		}
		names, err := tx.IDsByName(possibleNames(words))
		reason = renamed(words, names)
		return err
	})
	return reason, person, err
}

// around is what may stand around a name in a sentence.
const around = `"'“”(),:;.`

// possibleNames are all runs of a few words.
func possibleNames(words []string) (out []string) {
	for i := range words {
		for n := 1; n <= nameWords && i+n <= len(words); n++ {
			if name := strings.Trim(strings.Join(words[i:i+n], " "), around); name != "" {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// renamed puts ids in the place of names, the longest first.
func renamed(words []string, ids map[string]string) string {
	var out []string
	for i := 0; i < len(words); {
		n := min(nameWords, len(words)-i)
		run, id := "", ""
		for ; n > 0 && id == ""; n-- {
			run = strings.Join(words[i:i+n], " ")
			id = ids[strings.Trim(run, around)]
		}
		if id == "" {
			out, i = append(out, words[i]), i+1
			continue
		}
		out, i = append(out, strings.Replace(run, strings.Trim(run, around), id, 1)), i+n+1
	}
	return strings.Join(out, " ")
}
