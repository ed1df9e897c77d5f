package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// SourceUser is one User resource that belongs to an identity.
type SourceUser struct {
	Source   string
	ID       string
	Attrs    map[string]any
	Modified time.Time
}

// IdentityRow is what the hub last worked out of a person.
type IdentityRow struct {
	ID          string
	Name        string
	Stage       model.Stage
	User        map[string]any
	Origin      map[string]string
	Version     int64
	CreatedAt   time.Time
	EvaluatedAt *time.Time
	NextAt      *time.Time // when a date changes the stage by itself
	LeftAt      *time.Time
	LeftSource  string
	OverGuard   bool       // left beyond the source's limit of leavers
	LeftPlanned bool       // left at an end that was known long before: no guard counts it
	EndsAt      *time.Time // as of the last evaluation; see model.Identity
	EndsKnownAt *time.Time // since when that end is known
	ErasedAt    *time.Time
	Findings    []string // what is wrong with the facts, in words
	MergedInto  string   // identity that this one turned out to be; empty: none
	HistoryHash string   // of the last version in the history; see HistoryDoc.Hash
	Number      string   // in the form of NumberKey, of those who are with the organisation or about to be
}

type identityRow struct {
	ID           string `gorm:"primaryKey"`
	Name         string
	Key          string
	Stage        string
	UserDoc      string
	Origin       string
	Version      int64
	CreatedAt    int64 `gorm:"autoCreateTime:false"`
	EvaluatedAt  *int64
	NextAt       *int64
	LeftAt       *int64
	LeftSource   string
	OverGuard    bool
	LeftPlanned  bool
	EndsAt       *int64
	EndsKnownAt  *int64
	ErasedAt     *int64
	Findings     string
	MergedInto   string
	ManagerID    string // of managers.go
	ManagerNamed string
	Number       string
	HistoryHash  string
	SearchHash   string // of search_words.go
}

func (identityRow) TableName() string { return "identities" }

func (r identityRow) plain() (IdentityRow, error) {
	out := IdentityRow{ID: r.ID, Name: r.Name, Stage: model.Stage(r.Stage), Version: r.Version, CreatedAt: fromMicros(r.CreatedAt),
		EvaluatedAt: timePtr(r.EvaluatedAt), NextAt: timePtr(r.NextAt), LeftAt: timePtr(r.LeftAt), LeftSource: r.LeftSource,
		OverGuard: r.OverGuard, LeftPlanned: r.LeftPlanned, EndsAt: timePtr(r.EndsAt), EndsKnownAt: timePtr(r.EndsKnownAt), ErasedAt: timePtr(r.ErasedAt), MergedInto: r.MergedInto, Number: r.Number, HistoryHash: r.HistoryHash}
	user, err := decodeDoc([]byte(r.UserDoc))
	if err != nil {
		return out, fmt.Errorf("identity %s: %w", r.ID, err)
	}
	out.User = user
	err = errors.Join(json.Unmarshal([]byte(r.Origin), &out.Origin), json.Unmarshal([]byte(r.Findings), &out.Findings))
	return out, err
}

// identityKey is the form in which people are found by name.
func identityKey(name string) string { return indexForm(scim.Fold(name)) }

// Identity reads what was last worked out of a person.
func (t *Tx) Identity(id string) (IdentityRow, error) {
	var r identityRow
	if err := t.db.Where("id = ?", id).Take(&r).Error; err != nil {
		return IdentityRow{}, errNoIdentity(id)
	}
	return r.plain()
}

// SaveIdentity stores what was worked out. Name, stage, merged record and dates
// are replaced; created_at stays, a leaver who was released meanwhile stays
// released, and nothing is stored of who was erased meanwhile.
func (t *Tx) SaveIdentity(i IdentityRow) error { return t.SaveIdentities([]IdentityRow{i}) }

// SaveIdentities is SaveIdentity of many, in one statement. The caller holds them.
func (t *Tx) SaveIdentities(list []IdentityRow) error {
	rows := newRowset("id text", "name text", "key text", "stage text", "user_doc text", "origin text", "version bigint", "evaluated_at bigint", "next_at bigint", "left_at bigint", "left_source text",
		"over_guard boolean", "left_planned boolean", "ends_at bigint", "ends_known_at bigint", "findings text", "number text", "history_hash text")
	for _, i := range list {
		user, err := json.Marshal(i.User)
		if err != nil {
			return fmt.Errorf("identity %s: %w", i.ID, err)
		}
		origin, _ := json.Marshal(i.Origin)
		if i.Findings == nil {
			i.Findings = []string{}
		}
		findings, _ := json.Marshal(i.Findings)
		rows.add(i.ID, i.Name, identityKey(i.Name), string(i.Stage), string(user), string(origin), i.Version, microsPtr(i.EvaluatedAt), microsPtr(i.NextAt),
			microsPtr(i.LeftAt), i.LeftSource, i.OverGuard, i.LeftPlanned, microsPtr(i.EndsAt), microsPtr(i.EndsKnownAt), string(findings), i.Number, i.HistoryHash)
		t.searchLater(i.ID, i.Name, i.User)
	}
	_, err := t.inRows(rows, `UPDATE identities SET name = v.name, key = v.key, stage = v.stage, user_doc = v.user_doc, origin = v.origin, version = v.version, evaluated_at = v.evaluated_at, next_at = v.next_at,
over_guard = (CASE WHEN identities.left_at IS NOT DISTINCT FROM v.left_at THEN identities.over_guard AND v.over_guard ELSE v.over_guard END), left_at = v.left_at, left_source = v.left_source,
left_planned = v.left_planned, ends_at = v.ends_at, ends_known_at = v.ends_known_at, findings = v.findings, number = v.number, history_hash = v.history_hash
FROM v WHERE identities.id = v.id AND identities.erased_at IS NULL`)
	return err
}

// FindIdentity finds a person by id, userName (as merged) or name, without regard to
// case. An identity that turned out to be another is not found by name; its id finds
// that other.
func (t *Tx) FindIdentity(name string) (IdentityRow, error) {
	var rows []identityRow
	if err := t.db.Where("id = ? OR key = ? AND merged_into = ''", name, identityKey(name)).Order("id").Limit(2).Find(&rows).Error; err != nil {
		return IdentityRow{}, err
	}
	switch len(rows) {
	case 0:
		return IdentityRow{}, errNoIdentity(name)
	case 1:
		if rows[0].MergedInto != "" {
			return t.FindIdentity(rows[0].MergedInto)
		}
		return rows[0].plain()
	}
	return IdentityRow{}, model.Fail(model.Conflict, fmt.Sprintf("%q names more than one person: use the id (%s, %s, …)", name, rows[0].ID, rows[1].ID), nil)
}

// IDsByName finds out which of these names are somebody's, without regard to case, and
// gives the id of each; of several people of one name that of one.
func (t *Tx) IDsByName(names []string) (map[string]string, error) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = identityKey(name)
	}
	where, args := t.among("key", keys)
	found, err := t.byText(`SELECT key, id FROM identities WHERE merged_into = '' AND `+where+` ORDER BY id`, t.planned(args)...)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, name := range names {
		if id := found[keys[i]]; id != "" {
			out[name] = id
		}
	}
	return out, nil
}

// Identities lists people by name, after the cursor of the previous page.
func (s *Store) Identities(ctx context.Context, prefix, after string, limit int) (out []IdentityRow, next string, err error) {
	q := s.read.WithContext(ctx).Order("key, id").Limit(limit + 1)
	if prefix != "" {
		q = q.Where("key >= ? AND key < ?", scim.Fold(prefix), scim.Fold(prefix)+"\U0010FFFF")
	}
	if after != "" {
		var at []string
		if err := json.Unmarshal([]byte(after), &at); err != nil || len(at) != 2 || strings.ContainsRune(at[0]+at[1], 0) {
			return nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
		q = q.Where("(key, id) > (?, ?)", at[0], at[1])
	}
	var rows []identityRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		last, _ := json.Marshal([]string{rows[limit-1].Key, rows[limit-1].ID})
		next = string(last)
	}
	for _, r := range rows {
		p, err := r.plain()
		if err != nil {
			return nil, "", err
		}
		out = append(out, p)
	}
	return out, next, nil
}

// IdentityIDs streams ids in order, for work over everybody.
func (s *Store) IdentityIDs(ctx context.Context, after string, limit int) ([]string, error) {
	var out []string
	err := s.read.WithContext(ctx).Raw(`SELECT id FROM identities WHERE id > ? AND erased_at IS NULL ORDER BY id LIMIT ?`, after, limit).Scan(&out).Error
	return out, err
}

// Facts is everything that is known of a set of people, read together.
type Facts struct {
	Rows   map[string]IdentityRow
	Users  map[string][]SourceUser       // identity -> resources, by source
	Groups map[string][]model.Membership // identity -> groups of the sources, sorted
}

// Facts reads rows, resources and source groups of up to a few hundred identities.
func (t *Tx) Facts(ids []string) (Facts, error) {
	f := Facts{Rows: map[string]IdentityRow{}, Users: map[string][]SourceUser{}, Groups: map[string][]model.Membership{}}
	if len(ids) == 0 {
		return f, nil
	}
	if err := t.factRows(ids, f.Rows); err != nil {
		return f, err
	}
	if err := t.factUsers(ids, f.Users); err != nil {
		return f, err
	}
	return f, t.factGroups(ids, f.Groups)
}

func (t *Tx) factRows(ids []string, into map[string]IdentityRow) error {
	where, args := t.among("id", ids)
	rows, err := t.query(`SELECT id, name, key, stage, user_doc, origin, version, created_at, evaluated_at, next_at, left_at, left_source, over_guard, left_planned, ends_at, ends_known_at, erased_at, findings, merged_into, number, history_hash FROM identities WHERE `+where, t.planned(args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r identityRow
		if err := rows.Scan(&r.ID, &r.Name, &r.Key, &r.Stage, &r.UserDoc, &r.Origin, &r.Version, &r.CreatedAt, &r.EvaluatedAt, &r.NextAt, &r.LeftAt, &r.LeftSource, &r.OverGuard, &r.LeftPlanned,
			&r.EndsAt, &r.EndsKnownAt, &r.ErasedAt, &r.Findings, &r.MergedInto, &r.Number, &r.HistoryHash); err != nil {
			return err
		}
		if into[r.ID], err = r.plain(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *Tx) factUsers(ids []string, into map[string][]SourceUser) error {
	where, args := t.among("identity_id", ids)
	rows, err := t.query(`SELECT identity_id, source, id, doc, modified_at FROM resources WHERE identity_id <> '' AND `+where+` ORDER BY identity_id, source, id`, t.planned(args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var identity string
		var u SourceUser
		var doc []byte
		var modified int64
		if err := rows.Scan(&identity, &u.Source, &u.ID, &doc, &modified); err != nil {
			return err
		}
		if u.Attrs, err = decodeDoc(doc); err == nil && u.Attrs == nil {
			err = errors.New("what is stored has no attributes") // which must not be taken for facts
		}
		if err != nil {
			return fmt.Errorf("resource %s: %w", u.ID, err)
		}
		u.Modified = fromMicros(modified)
		into[identity] = append(into[identity], u)
	}
	return rows.Err()
}

// Left counts the leavers of a source since a moment, but for those who left as
// planned, and the people it has. Until
// the transaction ends others wait who ask for the same source, so that two
// replicas do not each let the last one allowed pass.
func (t *Tx) Left(source string, since time.Time) (left, people int, err error) {
	return t.left(source, `left_at > ? AND NOT left_planned`, micros(since))
}

// LeftAsPlanned counts those who left a source at their end since a moment and whose end
// was known before it, but for less than proven; and the people of the source. It waits
// as Left does.
func (t *Tx) LeftAsPlanned(source string, since time.Time, proven time.Duration) (left, people int, err error) {
	return t.left(source, `left_planned AND (left_at > ? OR ends_at > ?) AND ends_known_at > ends_at - CAST(? AS bigint)`, micros(since), micros(since), proven.Microseconds())
}

func (t *Tx) left(source, where string, args ...any) (left, people int, err error) {
	if t.pg {
		if _, err := t.exec(`SELECT pg_advisory_xact_lock(hashtextextended(?::text, 7266223012))`, source); err != nil {
			return 0, 0, err
		}
	}
	if err := t.row(`SELECT count(*) FROM identities WHERE left_source = ? AND `+where, append([]any{source}, args...)...).Scan(&left); err != nil {
		return 0, 0, err
	}
	err = t.row(`SELECT coalesce(sum(n), 0) FROM resource_counts WHERE source = ? AND kind = 'User'`, source).Scan(&people)
	return left, people, err
}

// Orphan finds an identity that once had this user name and has no resource left:
// somebody deleted at the source, who may come back. Empty if there is none.
func (t *Tx) Orphan(userName string) (string, error) {
	var id string
	err := t.row(`SELECT i.id FROM identities i WHERE i.key = ? AND i.erased_at IS NULL AND i.merged_into = '' AND NOT EXISTS (SELECT 1 FROM resources r WHERE r.identity_id <> '' AND r.identity_id = i.id) ORDER BY i.id LIMIT 1`, identityKey(userName)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// Returning finds who comes back when a source makes this user: of those who had
// the name and have no resource left, the one with the same externalId, or else the
// first for whom nothing says that it is another person. Names are given to new
// people when old ones have left; another externalId of the same source tells them
// apart. Nobody comes back who turned out to be somebody else, or of whom it was
// decided that this is another. Empty where it is nobody.
func (t *Tx) Returning(source, userName, externalID string) (string, error) {
	var rows []identityRow
	apart, keys := apartFrom("identities.id", source, ApartKeys("", userName, externalID))
	err := t.db.Where(`key = ? AND erased_at IS NULL AND merged_into = '' AND NOT EXISTS (SELECT 1 FROM resources r WHERE r.identity_id <> '' AND r.identity_id = identities.id) AND NOT `+apart,
		append([]any{identityKey(userName)}, keys...)...).
		Order("id").Limit(returning).Find(&rows).Error
	if err != nil {
		return "", err
	}
	first := ""
	for _, r := range rows {
		i, err := r.plain()
		if err != nil {
			return "", err
		}
		had, _ := i.User["externalId"].(string)
		if i.Origin["externalId"] != source {
			had = "" // another source's numbers say nothing about this one's
		}
		if had != "" && had == externalID {
			return i.ID, nil
		}
		if first == "" && (had == "" || externalID == "") {
			first = i.ID
		}
	}
	return first, nil
}

// returning limits how many people who had one name are looked at.
const returning = 100

// Returning is Tx.Returning outside of a transaction.
func (s *Store) Returning(ctx context.Context, source, userName, externalID string) (id string, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		id, err = tx.Returning(source, userName, externalID)
		return err
	})
	return id, err
}

// LockName serialises those who create people of one name, so that two sources
// do not make two identities of one person. SQLite has one writer anyway.
func (t *Tx) LockName(userName string) error {
	if !t.pg {
		return nil
	}
	_, err := t.exec(`SELECT pg_advisory_xact_lock(hashtextextended(?::text, 7266223011))`, identityKey(userName))
	return err
}
