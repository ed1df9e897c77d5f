package store

import (
	"context"
	"errors"
	"time"

	"github.com/scimhub/scimhub/model"
)

type startBy struct{}

// errLate is the cause of what was not begun any more.
var errLate = errors.New("the request stood still before it was carried out")

// StartBy bounds when a write may begin: after that whoever asked has given up, and may
// have said something newer elsewhere. It is for requests: a process that was suspended
// goes on with them when it wakes up, as if no time had passed. What has begun is
// finished, however long it takes.
func StartBy(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, startBy{}, t)
}

// inTime fails where a write must not begin any more.
func inTime(ctx context.Context) error {
	limit, bounded := ctx.Value(startBy{}).(time.Time)
	if !bounded {
		return nil
	}
	now := time.Now() //nolint:forbidigo // time as it passes: no other clock tells it
	// The monotonic clock may stand still while a machine sleeps, the other one may be set.
	if now.Before(limit) && now.Round(0).Before(limit.Round(0)) {
		return nil
	}
	return model.Fail(model.Unavailable, "the request waited for too long and was not carried out: send it again", errLate)
}
