package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// list reads what the target lists and compares it page by page.
func (s *sweeping) list(soft, hard context.Context) error {
	if err := s.expect(soft); err != nil {
		return err
	}
	err := s.patiently(soft, func() error { return s.listFrom(soft, hard, s.at.Place) })
	if s.at.Place != "" && (ClassOf(err) == Invalid || ClassOf(err) == Missing) {
		s.at.Place = "" // the place is not known there any more
		err = s.patiently(soft, func() error { return s.listFrom(soft, hard, s.at.Place) })
	}
	return err
}

func (s *sweeping) listFrom(soft, hard context.Context, place string) error {
	return s.r.timed("list", func() error {
		for page, err := range s.r.conn.ListFrom(hard, place) {
			if err != nil {
				return err
			}
			for batch := range slices.Chunk(page.Users, sweepBatch) {
				if err := s.compare(hard, batch); err != nil {
					return err
				}
			}
			s.at.Checked += len(page.Users)
			s.at.Place = page.Next
			if err := s.save(hard); err != nil {
				return err
			}
			if page.Next == "" {
				return nil
			}
			if err := s.halt(soft); err != nil {
				return err
			}
		}
		return nil
	})
}

// expect remembers the match values of accounts that are still to be found or
// made: the target may show them already, and they are not unknown.
func (s *sweeping) expect(ctx context.Context) error {
	s.await = nil
	match := s.r.match()
	for after := ""; ; {
		rows, err := s.r.w.Store.AwaitedAccounts(ctx, s.r.target.Name, after, sweepPage)
		if err != nil {
			return fmt.Errorf("read accounts: %w", err)
		}
		if s.await == nil { // most sweeps await nobody, or a few
			bits := bloomBits
			if len(rows) < sweepPage {
				bits = bloomSmall
			}
			s.await = newBloom(bits)
		}
		for _, row := range rows {
			after = row.Identity
			like := row.Desired
			if like == nil {
				like = row.Observed
			}
			if like == nil || isForeign(row) {
				continue
			}
			canonical := s.r.profile.Canonical(*like)
			for _, attr := range match {
				if v := matchValue(canonical, attr); v != "" {
					s.await.add(attr + "\x00" + scim.Fold(v))
				}
			}
		}
		if len(rows) < sweepPage {
			return nil
		}
	}
}

// expected reports whether a row waits for this very account.
func (s *sweeping) expected(u RemoteUser) bool {
	for _, attr := range s.r.match() {
		p, err := parseAttr(attr)
		if err != nil || s.await == nil {
			continue
		}
		found := false
		indexValue(p.get(u.Attrs), func(value string) { found = found || s.await.has(attr+"\x00"+value) })
		if found {
			return true
		}
	}
	return false
}

// absent reads our accounts that the list did not show, one by one. Where lists are
// not to be trusted these are all of them. It stops where more are gone than may be
// at once: then the target is lying, or is another one.
func (s *sweeping) absent(soft, hard context.Context) (refused string, err error) {
	known, _, err := s.r.w.Store.KnownAccounts(soft, s.r.target.Name, s.at.Began)
	if err != nil {
		return "", err
	}
	limit, pause := s.limit(known), s.pause(known)
	for {
		rows, err := s.r.w.Store.UnseenAccounts(soft, s.r.target.Name, s.at.Began, s.at.Place, sweepBatch)
		if err != nil || len(rows) == 0 {
			return "", err
		}
		if err := s.halt(soft); err != nil {
			return "", err
		}
		if err := s.lookAgain(soft, hard, rows, pause); err != nil {
			return "", err
		}
		s.at.Place = rows[len(rows)-1].Identity
		if err := s.save(hard); err != nil {
			return "", err
		}
		gone, err := s.countFound(hard, driftMissing)
		if err != nil {
			return "", err
		}
		if gone > limit {
			return s.tooMany(hard, gone, limit)
		}
	}
}

// limit is how many accounts may be gone at once before that is no longer believed.
func (s *sweeping) limit(known int) int { return max(1, s.r.target.Guard.Limit(known)) }

// pause is how long to wait between reads of single accounts, so that a scheduled
// sweep of many leaves room for everything else.
func (s *sweeping) pause(known int) time.Duration {
	if s.wanted || s.byList() || known == 0 {
		return 0
	}
	return min(s.r.target.Drift.Every/2/time.Duration(known), 250*time.Millisecond)
}

func (s *sweeping) countFound(ctx context.Context, kind string) (int, error) {
	counts, err := s.r.w.Store.CountFound(ctx, s.r.target.Name, &s.at.Began)
	for _, c := range counts {
		if c.Kind == kind {
			return c.Count, err
		}
	}
	return 0, err
}

const (
	readWidth    = 4 // accounts read at a time
	readFailures = 5 // of a batch, before the target is given up
)

// lookAgain reads accounts by id: those that are there are compared, of the others it
// is noted that they are gone.
func (s *sweeping) lookAgain(soft, hard context.Context, rows []model.AccountRow, pause time.Duration) error {
	var mu sync.Mutex
	var shown []RemoteUser
	var gone []string
	var errs []error
	pool := errgroup.Group{}
	pool.SetLimit(max(1, min(readWidth, s.r.profile.Concurrency)))
	for _, row := range rows {
		if isForeign(row) || !s.settled(row) || soft.Err() != nil {
			continue
		}
		wait(soft, nil, pause)
		pool.Go(func() error {
			var u RemoteUser
			err := s.patiently(soft, func() (err error) {
				u, err = s.r.get(hard, row.RemoteID)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				shown = append(shown, u)
			case ClassOf(err) == Missing:
				gone = append(gone, row.RemoteID)
			default:
				errs = append(errs, err)
			}
			return nil
		})
	}
	_ = pool.Wait() // the functions return nil
	if manyFailed(len(errs), len(shown)+len(gone)) {
		return errors.Join(errs...) // the target, not the accounts
	}
	if s.failed += len(errs); len(errs) > 0 {
		s.r.log.WarnContext(hard, "accounts could not be read", "count", len(errs), "error", errs[0])
	}
	if !s.byList() {
		s.at.Checked += len(shown)
	}
	if err := s.compare(hard, shown); err != nil || len(gone) == 0 {
		return err
	}
	return s.noteMissing(hard, gone)
}

// noteMissing writes down that accounts are gone.
func (s *sweeping) noteMissing(ctx context.Context, ids []string) error {
	return s.locked(ctx, func() ([]model.AccountRow, error) {
		return s.r.w.Store.AccountsByRemote(ctx, s.r.target.Name, ids)
	}, func(rows []model.AccountRow, busy map[string]bool) (store.Look, error) {
		var look store.Look
		for _, row := range rows {
			if busy[row.Identity] || isForeign(row) || !s.settled(row) {
				continue
			}
			look.Found = append(look.Found, store.Finding{Kind: driftMissing, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID,
				Action: reactionTo(s.r.target, driftMissing, row, false).action})
		}
		return look, nil
	})
}

// locked loads the rows of some accounts, keeps the worker from them while fn
// judges, and stores the outcome. busy names those somebody works on.
func (s *sweeping) locked(ctx context.Context, load func() ([]model.AccountRow, error), fn func(rows []model.AccountRow, busy map[string]bool) (store.Look, error)) error {
	var first []model.AccountRow
	mine, marks, err := s.r.claims.seize(false, func() (rows []model.AccountRow, err error) {
		first, err = load()
		return first, err
	})
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	defer func() {
		missed := false
		for i, row := range mine {
			missed = s.r.claims.release(row.Identity, marks[i]) || missed
		}
		if missed || s.urgent {
			signal(s.r.wakeUrgent)
		}
	}()
	busy := map[string]bool{}
	for _, row := range first {
		busy[row.Identity] = true
	}
	for _, row := range mine {
		delete(busy, row.Identity)
	}
	rows, err := load() // as they are now that nobody writes them
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	known := map[string]bool{}
	for _, row := range first {
		known[row.Identity] = true
	}
	for _, row := range rows {
		if !known[row.Identity] {
			busy[row.Identity] = true
		}
	}
	look, err := fn(rows, busy)
	if err != nil {
		return err
	}
	look.Began = s.at.Began
	if err := s.r.w.Store.SaveLook(context.WithoutCancel(ctx), s.r.target.Name, look); err != nil {
		return fmt.Errorf("store what the sweep saw: %w", err)
	}
	return nil
}

// manyFailed reports whether so many reads of a batch failed that it is about the
// target and not about single accounts: a handful, and one in four at least.
func manyFailed(failed, read int) bool {
	return failed > 0 && (read == 0 || (failed >= readFailures && 3*failed >= read))
}
