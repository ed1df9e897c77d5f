package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// Limits of one page of a search: who looks for the rare among the many gets a part of
// the answer, and where to go on.
const (
	scanFirst = 200
	scanChunk = 1000
	scanMost  = 2000 // people looked at
)

// PeopleFilter narrows a list of people; empty fields do not.
type PeopleFilter struct {
	Text       string // what they are found by: names, addresses, numbers, as typed
	Stage      model.Stage
	Role       string // held now
	Target     string // where they have an account, or are to have one
	Department string
	Manager    string // identity
	After      string // cursor of the previous page
	Limit      int
}

// Found is one person that was found.
type Found struct {
	IdentityRow
	Matched string // the word or value that was found, folded; empty: none was looked for
}

// People lists people: those who are found by a text by how well it fits, else by name
// where nothing but the stage narrows the list, else by id. Of who turned out to be
// somebody else, or was erased, nobody is found by a text.
func (s *Store) People(ctx context.Context, f PeopleFilter) (out []Found, next string, err error) {
	sc, err := newScan(f)
	if err != nil {
		return nil, "", err
	}
	err = s.View(ctx, func(tx *Tx) error {
		if err := tx.alsoUnindexed(&sc, f.Text); err != nil {
			return err
		}
		ids, err := tx.scanPeople(&sc, f.Limit)
		if err != nil {
			return err
		}
		out, err = tx.foundPeople(ids)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return out, sc.cursor(), nil
}

// candidate is a place in the order of a scan.
type candidate struct {
	Step int    `json:"s"` // of the ways that are gone one after the other
	Key  string `json:"k"`
	ID   string `json:"i"`
}

// scan goes through people in an order that an index has, and tests each for what else
// is asked for.
type scan struct {
	steps []way
	conds []cond // every one has to hold, whatever the way
	at    candidate
	over  bool // there is nobody left
}

// way is one index to go along: rows of key and id, in this order.
type way struct {
	text   string // of the query, with %s where the condition on the place goes; it has no order
	args   []any
	key    string // expression of the key
	id     string
	byID   bool // key is the same for all
	except []cond
}

// cond is a condition on the id c.id, and on the key c.k, of a candidate.
type cond struct {
	text string
	args []any
}

func newScan(f PeopleFilter) (s scan, err error) {
	if f.After != "" {
		var at *candidate // null is none
		if err := json.Unmarshal([]byte(f.After), &at); err != nil || at == nil || strings.ContainsRune(at.Key+at.ID, 0) {
			return s, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
		s.at = *at
	}
	s.conds = conditions(f)
	switch form := SearchForm(f.Text); {
	case form != "":
		s.byText(form)
	case f.Manager != "":
		s.steps = []way{{text: `SELECT '' AS k, id FROM identities WHERE manager_id = ? AND manager_id <> '' %s`, args: []any{f.Manager}, id: "id", byID: true}}
	case f.Department != "":
		s.steps = []way{{text: `SELECT '' AS k, identity_id AS id FROM search_words WHERE rank = 2 AND word = ? %s`, args: []any{departmentForm(f.Department)}, id: "identity_id", byID: true}}
	case f.Role != "":
		s.steps = []way{{text: `SELECT '' AS k, identity_id AS id FROM grants WHERE ended_at IS NULL AND role = ? %s`, args: []any{f.Role}, id: "identity_id", byID: true}}
	case f.Target != "":
		s.steps = []way{{text: `SELECT '' AS k, identity_id AS id FROM accounts WHERE target = ? AND state <> 'deleted' AND identity_id NOT LIKE '?%%' %s`, args: []any{f.Target}, id: "identity_id", byID: true}}
	case f.Stage != "":
		s.steps = []way{{text: `SELECT key AS k, id FROM identities WHERE stage = ? %s`, args: []any{string(f.Stage)}, key: "key", id: "id"}}
	default:
		s.steps = []way{{text: `SELECT key AS k, id FROM identities WHERE TRUE %s`, key: "key", id: "id"}}
	}
	if s.at.Step < 0 {
		return s, model.Fail(model.Invalid, "the cursor is not one of this listing", nil)
	}
	return s, nil
}

// alsoUnindexed goes through those, too, whose words are not there yet: they are found by
// the beginning of their user name.
func (t *Tx) alsoUnindexed(s *scan, text string) error {
	form, open := identityKey(text), false
	if SearchForm(text) != "" {
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM identities WHERE search_hash = '' AND erased_at IS NULL)`).Scan(&open); err != nil {
			return err
		}
	}
	if open {
		s.steps = append(s.steps, way{text: `SELECT key AS k, id FROM identities WHERE search_hash = '' AND erased_at IS NULL AND key >= ? AND key < ? %s`, args: []any{form, beyond(form)}, key: "key", id: "id"})
	}
	s.over = s.at.Step >= len(s.steps)
	return nil
}

func departmentForm(text string) string {
	runes := []rune(SearchForm(text))
	return string(runes[:min(len(runes), searchLength)])
}

// byText goes along whole values that begin with the text, then along words.
func (s *scan) byText(form string) {
	if runes := []rune(form); len(runes) > searchLength {
		form = string(runes[:searchLength])
	}
	const inRange = `rank = ? AND word >= ? AND word < ?`
	first := cond{`NOT EXISTS (SELECT 1 FROM search_words x WHERE x.identity_id = c.id AND x.rank = 0 AND x.word >= ? AND x.word < c.k)`, []any{form}}
	s.steps = []way{{text: `SELECT word AS k, identity_id AS id FROM search_words WHERE ` + inRange + ` %s`, args: []any{rankWhole, form, beyond(form)}, key: "word", id: "identity_id", except: []cond{first}}}
	terms := SearchTerms(form)
	if len(terms) == 0 {
		return
	}
	slices.SortStableFunc(terms, func(a, b string) int { return len(b) - len(a) }) // the longest is the rarest, as a rule
	driver := terms[0]
	except := []cond{
		{`NOT EXISTS (SELECT 1 FROM search_words x WHERE x.identity_id = c.id AND x.rank = 0 AND x.word >= ? AND x.word < ?)`, []any{form, beyond(form)}},
		{`NOT EXISTS (SELECT 1 FROM search_words x WHERE x.identity_id = c.id AND x.rank = 1 AND x.word >= ? AND x.word < c.k)`, []any{driver}},
	}
	for _, term := range terms[1:min(len(terms), 6)] {
		except = append(except, cond{`EXISTS (SELECT 1 FROM search_words x WHERE x.identity_id = c.id AND x.rank = 1 AND x.word >= ? AND x.word < ?)`, []any{term, beyond(term)}})
	}
	s.steps = append(s.steps, way{text: `SELECT word AS k, identity_id AS id FROM search_words WHERE ` + inRange + ` %s`, args: []any{rankWord, driver, beyond(driver)}, key: "word", id: "identity_id", except: except})
}

// beyond is after everything that begins with a text, as bytes are compared.
func beyond(text string) string { return text + "\U0010FFFF" }

func conditions(f PeopleFilter) (out []cond) {
	add := func(text string, args ...any) { out = append(out, cond{text, args}) }
	if f.Text != "" {
		add(`EXISTS (SELECT 1 FROM identities i WHERE i.id = c.id AND i.merged_into = '' AND i.erased_at IS NULL)`)
	}
	if f.Stage != "" {
		add(`EXISTS (SELECT 1 FROM identities i WHERE i.id = c.id AND i.stage = ?)`, string(f.Stage))
	}
	if f.Manager != "" {
		add(`EXISTS (SELECT 1 FROM identities i WHERE i.id = c.id AND i.manager_id = ?)`, f.Manager)
	}
	if f.Department != "" {
		add(`EXISTS (SELECT 1 FROM search_words d WHERE d.identity_id = c.id AND d.rank = 2 AND d.word = ?)`, departmentForm(f.Department))
	}
	if f.Role != "" {
		add(`EXISTS (SELECT 1 FROM grants g WHERE g.identity_id = c.id AND g.role = ? AND g.ended_at IS NULL)`, f.Role)
	}
	if f.Target != "" {
		add(`EXISTS (SELECT 1 FROM accounts a WHERE a.target = ? AND a.identity_id = c.id AND a.state <> 'deleted')`, f.Target)
	}
	return out
}

// scanPeople goes on from where the scan is until limit people are found, or enough were
// looked at.
func (t *Tx) scanPeople(s *scan, limit int) (out []candidate, err error) {
	chunk := max(scanFirst, limit+1)
	for looked := 0; looked < scanMost && !s.over; {
		n, found, err := t.scanChunk(s, chunk)
		if err != nil {
			return nil, err
		}
		looked += n
		for _, c := range found {
			if len(out) == limit { // there is one more: go on behind the last that is shown
				s.at, s.over = out[limit-1], false
				return out, nil
			}
			out = append(out, c)
		}
		chunk = scanChunk
	}
	return out, nil
}

// scanChunk looks at the next candidates of the way that the scan is on, and moves
// behind them.
func (t *Tx) scanChunk(s *scan, size int) (looked int, found []candidate, err error) {
	w := s.steps[s.at.Step]
	place, args := "", slices.Clone(w.args)
	if s.at.ID != "" {
		if place = `AND (` + w.key + `, ` + w.id + `) > (?, ?)`; w.byID {
			place = `AND ` + w.id + ` > ?`
		} else {
			args = append(args, s.at.Key)
		}
		args = append(args, s.at.ID)
	}
	order := w.key + `, ` + w.id
	if w.byID {
		order = w.id
	}
	all, tests := []string{`TRUE`}, []any{}
	for _, c := range slices.Concat(w.except, s.conds) {
		all, tests = append(all, c.text), append(tests, c.args...)
	}
	text := `SELECT c.k, c.id, (` + strings.Join(all, ` AND `) + `) FROM (` + fmt.Sprintf(w.text, place) + ` ORDER BY ` + order + ` LIMIT ?) AS c ORDER BY c.k, c.id`
	rows, err := t.query(text, t.planned(slices.Concat(tests, args, []any{size}))...)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	last := s.at
	for rows.Next() {
		c := candidate{Step: s.at.Step}
		var fits bool
		if err := rows.Scan(&c.Key, &c.ID, &fits); err != nil {
			return 0, nil, err
		}
		if looked++; fits {
			found = append(found, c)
		}
		last = c
	}
	s.at = last
	if looked < size {
		s.at = candidate{Step: s.at.Step + 1}
		s.over = s.at.Step >= len(s.steps)
	}
	return looked, found, rows.Err()
}

func (s *scan) cursor() string {
	if s.over {
		return ""
	}
	out, _ := json.Marshal(s.at)
	return string(out)
}

// foundPeople reads the people of candidates, in their order.
func (t *Tx) foundPeople(list []candidate) ([]Found, error) {
	ids := make([]string, len(list))
	for i, c := range list {
		ids[i] = c.ID
	}
	byID := map[string]IdentityRow{}
	for chunk := range slices.Chunk(ids, 500) {
		var rows []identityRow
		if err := t.db.Where("id IN ?", chunk).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			p, err := r.plain()
			if err != nil {
				return nil, err
			}
			byID[r.ID] = p
		}
	}
	out := make([]Found, 0, len(list))
	for _, c := range list {
		if row, ok := byID[c.ID]; ok {
			out = append(out, Found{row, c.Key})
		}
	}
	return out, nil
}

// GroupsNamed lists the names of groups that begin with a text: of sources, as pairs of
// source and name, and at targets, as pairs of target and name; a few of each.
func (s *Store) GroupsNamed(ctx context.Context, text string, targets []string, limit int) (sources, atTargets [][2]string, err error) {
	form := identityKey(text)
	err = s.View(ctx, func(tx *Tx) error {
		if sources, err = tx.pairs(`SELECT source, display FROM resources WHERE id IN (SELECT resource_id FROM resource_values WHERE kind = 'Group' AND attr = 'displayname' AND value >= ? AND value < ? ORDER BY value LIMIT ?) ORDER BY display, source`,
			form, beyond(form), limit); err != nil {
			return err
		}
		for _, target := range targets {
			more, err := tx.pairs(`SELECT target, name FROM target_groups WHERE target = ? AND fold >= ? AND fold < ? ORDER BY fold LIMIT ?`, target, form, beyond(form), limit)
			if err != nil {
				return err
			}
			if atTargets = append(atTargets, more...); len(atTargets) >= limit {
				atTargets = atTargets[:limit]
				break
			}
		}
		return nil
	})
	return sources, atTargets, err
}
