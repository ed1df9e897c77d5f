package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

type accountRow struct {
	Target     string `gorm:"primaryKey"`
	IdentityID string `gorm:"primaryKey"`
	UserName   string
	RemoteID   string
	Owned      string
	Desired    *string
	Applied    *string
	Observed   *string
	Sent       *string
	Because    string
	Invited    bool
	// TransferredAt is written by Tx.SetTransferred alone, and read here.
	TransferredAt *int64
	Leaver        bool
	LeaverAt      *int64
	LeaverHeld    bool
	Drill         bool
	State         string
	Drift         string
	Due           bool
	Enabled       bool
	DisabledAt    *int64
	Generation    int64
	Attempts      int
	NextAt        int64
	LastError     string
	ErrorClass    string
	VerifiedAt    *int64
	UpdatedAt     int64 `gorm:"autoUpdateTime:false"`
	SentAt        *int64
	CreatingAt    *int64
	FormerID      string
	GoneAt        *int64
	SeenAt        int64 `gorm:"->"` // of sweeps, which write it alone

	Trace string `gorm:"->"` // of SetDesiredAll and writeSettled
}

func (accountRow) TableName() string { return "accounts" }

func encodeAccount(a *model.Account) (*string, error) {
	if a == nil {
		return nil, nil
	}
	b, err := json.Marshal(a)
	s := string(b)
	return &s, err
}

func decodeAccount(s *string) (*model.Account, error) {
	if s == nil {
		return nil, nil
	}
	d := json.NewDecoder(strings.NewReader(*s))
	d.UseNumber() // a whole number is to come back as it was stored
	var a model.Account
	if err := d.Decode(&a); err != nil {
		return nil, err
	}
	model.PlainNumbers(a.Attrs)
	return &a, nil
}

func encodeSent(list []model.Account) (*string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(list)
	s := string(b)
	return &s, err
}

func decodeSent(s *string) ([]model.Account, error) {
	if s == nil {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(*s), &raw); err != nil {
		return nil, err
	}
	out := make([]model.Account, len(raw))
	for i, r := range raw {
		text := string(r)
		a, err := decodeAccount(&text)
		if err != nil {
			return nil, err
		}
		out[i] = *a
	}
	return out, nil
}

func toRow(a model.AccountRow) (accountRow, error) {
	if a.Desired == nil && a.Applied != nil && a.Applied.UserName == "" {
		a.Observed = nil // of who was erased: see Tx.Erase
	}
	desired, err1 := encodeAccount(a.Desired)
	applied, err2 := encodeAccount(a.Applied)
	observed, err3 := encodeAccount(a.Observed)
	because, err4 := json.Marshal(a.Because)
	sent, err5 := encodeSent(a.Sent)
	r := accountRow{Target: a.Target, IdentityID: a.Identity, UserName: nameOf(a), RemoteID: a.RemoteID, Owned: a.Owned,
		Desired: desired, Applied: applied, Observed: observed, Sent: sent, Invited: a.Invited, Because: string(because), Leaver: a.Leaver, LeaverAt: microsPtr(a.LeaverAt),
		LeaverHeld: a.LeaverHeld, Drill: a.Drill, State: string(a.State), Drift: a.Drift, Due: a.Due, Enabled: a.Applied != nil && a.Applied.Active,
		DisabledAt: microsPtr(a.DisabledAt), Generation: a.Generation, Attempts: a.Attempts, NextAt: micros(a.NextAttempt),
		LastError: a.LastError, ErrorClass: a.ErrorClass, VerifiedAt: microsPtr(a.VerifiedAt), UpdatedAt: micros(a.UpdatedAt),
		FormerID: a.FormerID, GoneAt: microsPtr(a.GoneAt)}
	if a.NextAttempt.IsZero() {
		r.NextAt = 0
	}
	return r, errors.Join(err1, err2, err3, err4, err5)
}

// nameOf is the best user name known for the account.
func nameOf(a model.AccountRow) string {
	for _, x := range []*model.Account{a.Desired, a.Applied, a.Observed} {
		if x != nil && x.UserName != "" {
			return x.UserName
		}
	}
	return ""
}

func (r accountRow) plain() (model.AccountRow, error) {
	desired, err1 := decodeAccount(r.Desired)
	applied, err2 := decodeAccount(r.Applied)
	observed, err3 := decodeAccount(r.Observed)
	sent, err5 := decodeSent(r.Sent)
	a := model.AccountRow{Target: r.Target, Identity: r.IdentityID, RemoteID: r.RemoteID, Owned: r.Owned, Desired: desired,
		Applied: applied, Observed: observed, Sent: sent, Invited: r.Invited, TransferredAt: timePtr(r.TransferredAt), Leaver: r.Leaver, LeaverAt: timePtr(r.LeaverAt), LeaverHeld: r.LeaverHeld, Drill: r.Drill,
		State: model.AccountState(r.State), Drift: r.Drift, Due: r.Due, DisabledAt: timePtr(r.DisabledAt), Generation: r.Generation,
		Attempts: r.Attempts, NextAttempt: fromMicros(r.NextAt), LastError: r.LastError, ErrorClass: r.ErrorClass,
		VerifiedAt: timePtr(r.VerifiedAt), UpdatedAt: fromMicros(r.UpdatedAt),
		SentAt: timePtr(r.SentAt), CreatingAt: timePtr(r.CreatingAt), FormerID: r.FormerID, GoneAt: timePtr(r.GoneAt), Trace: r.Trace}
	err4 := json.Unmarshal([]byte(r.Because), &a.Because)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return a, fmt.Errorf("account %s at %s: %w", r.IdentityID, r.Target, err)
	}
	return a, nil
}

func plainAll(rows []accountRow) ([]model.AccountRow, error) {
	out := make([]model.AccountRow, 0, len(rows))
	for _, r := range rows {
		a, err := r.plain()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// Lane narrows DueAccounts.
type Lane int

// The lanes: everything, only leavers, all but leavers.
const (
	LaneAll Lane = iota
	LaneUrgent
	LaneNormal
)

// DueAccounts lists accounts with something to do now: leavers first, then the
// longest waiting.
func (s *Store) DueAccounts(ctx context.Context, target string, lane Lane, limit int) ([]model.AccountRow, error) {
	where := `WHERE target = ? AND due AND next_at <= ?`
	switch lane {
	case LaneUrgent:
		where += ` AND leaver`
	case LaneNormal:
		where += ` AND NOT leaver`
	case LaneAll:
	}
	return s.accountsNow(ctx, where+` ORDER BY leaver DESC, next_at, identity_id LIMIT ?`, target, micros(s.Now()), limit)
}

// NextDue is the moment at which the next account of the target is due; false if none is.
func (s *Store) NextDue(ctx context.Context, target string) (time.Time, bool, error) {
	var at *int64
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT min(next_at) FROM accounts WHERE target = ? AND due`, target).Scan(&at)
	})
	if at == nil {
		return time.Time{}, false, err
	}
	return fromMicros(*at), true, err
}

// Accounts streams the accounts of a target in order of identity.
func (s *Store) Accounts(ctx context.Context, target, after string, limit int) ([]model.AccountRow, error) {
	return s.accountsNow(ctx, `WHERE target = ? AND identity_id > ? ORDER BY identity_id LIMIT ?`, target, after, limit)
}

// AccountsByRemote finds accounts by their ids at the target.
func (s *Store) AccountsByRemote(ctx context.Context, target string, remoteIDs []string) ([]model.AccountRow, error) {
	if len(remoteIDs) == 0 {
		return nil, nil
	}
	// Sorted here: an order by the primary key has SQLite read all accounts of the target.
	var rows []model.AccountRow
	err := s.single(ctx, s.read, func(tx *Tx) (err error) {
		where, args := tx.among("remote_id", remoteIDs)
		rows, err = tx.accountsWhere(`WHERE target = ? AND remote_id <> '' AND `+where, tx.planned(append([]any{target}, args...))...)
		return err
	})
	slices.SortFunc(rows, func(a, b model.AccountRow) int { return strings.Compare(a.Identity, b.Identity) })
	return rows, err
}

// AccountsOf lists the accounts of identities at all targets.
func (t *Tx) AccountsOf(identities []string) ([]model.AccountRow, error) {
	if len(identities) == 0 {
		return nil, nil
	}
	where, args := t.among("identity_id", identities)
	return t.accountsWhere(`WHERE `+where+` ORDER BY identity_id, target`, t.planned(args)...)
}

// SetDesired stores what an account should be: a new generation, due at once.
// Facts about what is at the target stay as they are. Where the caller sees nothing
// to do because nothing was ever made, the row decides: a create may have begun
// since the caller read it. An account that is to be inactive goes before what waits.
func (t *Tx) SetDesired(a model.AccountRow) error { return t.SetDesiredAll([]model.AccountRow{a}) }

// SetBecause stores new reasons for an account that stays as it is.
func (t *Tx) SetBecause(a model.AccountRow) error {
	because, err := json.Marshal(a.Because)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE accounts SET because = ? WHERE target = ? AND identity_id = ?`, string(because), a.Target, a.Identity); err != nil {
		return err
	}
	t.noteLater(a.Target, a.Identity)
	return nil
}

// Intent is what is about to be sent to a target for one account.
type Intent struct {
	Identity   string
	Generation int64           // of the row that it is based on
	Create     bool            // the account is about to be made
	Sent       []model.Account // everything whose outcome would be unknown if this were the last that is heard
	LeaverAt   *time.Time      // of a leaver's account: when the fact was received
}

// SaveIntents records what is about to be sent, so that after a crash, or an
// answer that was lost, nobody takes Applied for what the target holds, and an
// account found is known as ours. Settle replaces it. It returns the identities
// whose intent was stored; of the others somebody has decided anew meanwhile, and
// nothing may be sent.
func (s *Store) SaveIntents(ctx context.Context, target string, intents []Intent) (stored map[string]bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		stored = make(map[string]bool, len(intents))
		if err := tx.saveIntents(target, intents, stored); err != nil {
			return err
		}
		return tx.saveSent(target, intents, stored)
	})
	return stored, err
}

func (t *Tx) saveIntents(target string, intents []Intent, stored map[string]bool) error {
	sorted := slices.SortedFunc(slices.Values(intents), func(a, b Intent) int { return strings.Compare(a.Identity, b.Identity) })
	r := newRowset("identity_id text", "generation bigint", "sent text", "owned text")
	for _, i := range sorted {
		sent, err := encodeSent(i.Sent)
		if err != nil {
			return fmt.Errorf("account %s at %s: %w", i.Identity, target, err)
		}
		owned := ""
		if i.Create {
			owned = model.OwnedCreating
		}
		r.add(i.Identity, i.Generation, sent, owned)
	}
	return t.eachRow(r, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		stored[id] = err == nil
		return err
	}, `UPDATE accounts SET sent = v.sent, sent_at = CAST(? AS bigint),
creating_at = CASE WHEN v.owned <> '' AND (accounts.owned <> v.owned OR accounts.creating_at IS NULL) THEN CAST(? AS bigint) ELSE accounts.creating_at END,
owned = CASE WHEN accounts.owned = '' THEN v.owned ELSE accounts.owned END FROM v
WHERE accounts.target = ? AND accounts.identity_id = v.identity_id AND accounts.generation = v.generation
RETURNING accounts.identity_id`, micros(t.Now), micros(t.Now), target)
}

// StateCounts counts the accounts of each target by state.
func (s *Store) StateCounts(ctx context.Context) (map[string]map[model.AccountState]int, error) {
	out := map[string]map[model.AccountState]int{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT target, state, count(*) FROM accounts GROUP BY target, state`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var target, state string
			var n int
			if err := rows.Scan(&target, &state, &n); err != nil {
				return err
			}
			if out[target] == nil {
				out[target] = map[model.AccountState]int{}
			}
			out[target][model.AccountState(state)] = n
		}
		return rows.Err()
	})
	return out, err
}

// ErrorCounts counts the failed accounts of a target by class.
func (s *Store) ErrorCounts(ctx context.Context, target string) (map[string]int, error) {
	type line struct {
		ErrorClass string
		N          int
	}
	var lines []line
	err := s.read.WithContext(ctx).Raw(`SELECT error_class, count(*) AS n FROM accounts WHERE target = ? AND error_class NOT IN ('', ?) GROUP BY error_class`, target, awaitsPerson).Scan(&lines).Error
	out := map[string]int{}
	for _, l := range lines {
		out[l.ErrorClass] = l.N
	}
	return out, err
}

// Due counts the accounts of a target with something to do, now or later.
func (s *Store) Due(ctx context.Context, target string) (int, error) {
	var n int
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*) FROM accounts WHERE target = ? AND due`, target).Scan(&n)
	})
	return n, err
}

// DueNow ends the waiting of all accounts of a target that are due later because
// an attempt failed, and takes those up again that were given up.
func (s *Store) DueNow(ctx context.Context, target string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE accounts SET next_at = ?, attempts = CASE WHEN due THEN attempts ELSE 0 END, due = TRUE WHERE target = ? AND (next_at > ? OR NOT due) AND state = ?`, micros(tx.Now), target, micros(tx.Now), string(model.StateFailed))
		return err
	})
}

// AccountsInState lists the accounts of a target in a state, in order of identity.
func (s *Store) AccountsInState(ctx context.Context, target string, state model.AccountState) ([]model.AccountRow, error) {
	var rows []accountRow
	if err := s.read.WithContext(ctx).Where("target = ? AND state = ?", target, string(state)).Order("identity_id").Find(&rows).Error; err != nil {
		return nil, err
	}
	return plainAll(rows)
}

// Drifted lists accounts that differ from what the hub wrote, by user name.
func (s *Store) Drifted(ctx context.Context, target string, limit int) ([]model.AccountRow, error) {
	var rows []accountRow
	if err := s.read.WithContext(ctx).Where("target = ? AND drift <> ''", target).Order("user_name, identity_id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	return plainAll(rows)
}
