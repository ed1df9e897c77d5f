package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Some applications confirm a request about many members and keep a part of them. The
// last of those that were added is looked for, once in a while for each group.
const (
	verifyFrom  = 20              // members added at once; fewer are never cut off
	verifyRead  = 5000            // members read at most to find one
	verifyEvery = 2 * time.Minute // for a group; at once again after what did not arrive
)

// errDropped is the cause of the error about members that did not arrive.
var errDropped = errors.New("the target confirms members and does not keep them")

func isDropped(err error) bool { return errors.Is(err, errDropped) }

// limit is how many members in a request are known to arrive, or may; 0: nothing else
// was seen than what the profile says.
func (e *groupEntry) limit() int {
	e.learnt.Lock()
	defer e.learnt.Unlock()
	if e.most == 0 {
		return 0
	}
	return max(e.most, e.proven)
}

// checks reports whether a request with n new members is one to look after: one that is
// larger than what was seen to arrive, and others now and then.
func (e *groupEntry) checks(n int, now time.Time) bool {
	e.learnt.Lock()
	defer e.learnt.Unlock()
	larger := n > e.proven
	if e.most == 0 && n < verifyFrom || !larger && now.Before(e.verified.Add(verifyEvery)) {
		return false
	}
	e.verified = now
	return true
}

// saw notes whether n members at once arrived.
func (e *groupEntry) saw(n int, arrived bool) {
	e.learnt.Lock()
	defer e.learnt.Unlock()
	if arrived {
		e.proven = max(e.proven, n)
		return
	}
	if most := max(n/2, 1); e.most == 0 || most < e.most {
		e.most = most
	}
}

// arrived looks whether the last of the members that were added is there. That it
// cannot be told is no error: the members are too many, or not shown, or shown late.
func (r *runner) arrived(ctx context.Context, name, id string, added []string) error {
	if len(added) == 0 || !r.profile.MembersReadable || r.profile.EventualSeconds > 0 || r.target.Manual != nil {
		return nil
	}
	e := r.groups.entry(name)
	if !e.checks(len(added), r.w.Now()) {
		return nil
	}
	sample := added[len(added)-1]
	found, read, whole := false, 0, false
	err := r.timed("get-group", func() error {
		for got, err := range r.conn.Members(ctx, id) {
			if err != nil {
				return err
			}
			if read++; got == sample {
				found = true
				return nil
			}
			if read >= verifyRead {
				return nil
			}
		}
		whole = true
		return nil
	})
	if err != nil {
		r.log.WarnContext(ctx, "members cannot be read back", "error", err)
		return nil
	}
	if found || !whole {
		if found {
			e.saw(len(added), true)
		}
		return nil
	}
	e.saw(len(added), false)
	return &ClientError{Class: Garbage, Err: errDropped, Detail: fmt.Sprintf("of %d members added to group %q at once the last is not there", len(added), name)}
}
