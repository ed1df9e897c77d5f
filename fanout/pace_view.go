package fanout

import (
	"context"
	"math"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// RateView is one limit on requests to a target as operators see it.
type RateView struct {
	Kinds       []string   `json:"kinds"`
	PerSecond   float64    `json:"per_second"`
	Burst       int        `json:"burst"`
	OverBody    int        `json:"over_body,omitempty"`
	PausedUntil *time.Time `json:"paused_until,omitempty"` // the application asked for it
}

// ShowRates gives the limits of a target, the slowest first.
func ShowRates(ctx context.Context, s *store.Store, t model.Target, now time.Time) ([]RateView, error) {
	p, err := ProfileOf(t)
	if err != nil {
		return nil, err
	}
	var out []RateView
	for _, l := range limitsOf(t, p) {
		st, err := s.Rate(ctx, l.name)
		if err != nil {
			return nil, err
		}
		v := RateView{Kinds: l.kinds, PerSecond: math.Round(1000*float64(time.Second)/float64(l.interval)) / 1000, Burst: l.burst, OverBody: max(l.overBody, 0)}
		if st.PausedUntil.After(now) {
			v.PausedUntil = &st.PausedUntil
		}
		out = append(out, v)
	}
	return out, nil
}
