package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/scimhub/scimhub/model/scim"
)

// Ranks of what people are found by.
const (
	rankWhole      = 0 // a whole value: a user name, an address, a full name, a number
	rankWord       = 1 // a word in one of them
	rankDepartment = 2 // the department, whole
)

// Limits of what is kept of one person.
const (
	searchValues = 40  // rows
	searchLength = 100 // characters of one
)

// searchWord is one row of search_words.
type searchWord struct {
	rank int
	word string
}

// SearchForm is a text as people are looked for: without regard to case, width, accents
// and more than one space.
func SearchForm(text string) string {
	var out strings.Builder
	for _, r := range norm.NFKD.String(scim.Fold(text)) {
		if !unicode.Is(unicode.Mn, r) {
			plainLetter(&out, r)
		}
	}
	return strings.Join(strings.Fields(norm.NFC.String(out.String())), " ")
}

// plainLetter writes a letter that no decomposition takes apart as those do who do not
// have it.
func plainLetter(out *strings.Builder, r rune) {
	switch r {
	case 'ß':
		out.WriteString("ss")
	case 'ø':
		out.WriteByte('o')
	case 'ł':
		out.WriteByte('l')
	case 'đ', 'ð':
		out.WriteByte('d')
	case 'æ':
		out.WriteString("ae")
	case 'œ':
		out.WriteString("oe")
	case 'ı':
		out.WriteByte('i')
	case 'þ':
		out.WriteString("th")
	default:
		out.WriteRune(r)
	}
}

// inFull writes German vowels as those do who have no dots: müller is also mueller.
func inFull(text string) string {
	var out strings.Builder
	for _, r := range scim.Fold(text) {
		switch r {
		case 'ä', 'ö', 'ü':
			out.WriteByte(map[rune]byte{'ä': 'a', 'ö': 'o', 'ü': 'u'}[r])
			out.WriteByte('e')
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// SearchTerms are the words of a text that was folded by SearchForm.
func SearchTerms(form string) []string {
	return strings.FieldsFunc(form, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mc, r) })
}

// searchWords are what a person is found by, sorted: names, addresses, numbers and the
// department of the merged record.
func searchWords(name string, user map[string]any) []searchWord {
	seen := map[searchWord]bool{}
	add := func(rank int, text string) {
		runes := []rune(text)
		if w := (searchWord{rank, string(runes[:min(len(runes), searchLength)])}); w.word != "" && len(seen) < searchValues {
			seen[w] = true
		}
	}
	whole := func(text string) { add(rankWhole, SearchForm(text)) }
	words := func(text string) {
		for _, form := range []string{text, inFull(text)} {
			for _, w := range SearchTerms(SearchForm(form)) {
				add(rankWord, w)
			}
		}
	}
	add(rankDepartment, SearchForm(textAt(user, scim.URNEnterprise, "department")))
	first, last := textAt(user, "name", "givenName"), textAt(user, "name", "familyName")
	spoken := []string{name, textAt(user, "displayName"), textAt(user, "name", "formatted"), strings.TrimSpace(first + " " + last)}
	for _, text := range append(spoken, textAt(user, "externalId"), textAt(user, scim.URNEnterprise, "employeeNumber")) {
		whole(text)
	}
	emails := emailsOf(user)
	for _, text := range emails {
		whole(text)
	}
	for _, text := range append(spoken, textAt(user, "nickName")) {
		local, _, _ := strings.Cut(text, "@")
		words(local)
	}
	for _, text := range emails {
		local, _, _ := strings.Cut(text, "@") // everybody has the same domain
		words(local)
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b searchWord) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return strings.Compare(a.word, b.word)
	})
}

func textAt(user map[string]any, path ...string) string {
	var node any = user
	for _, key := range path {
		m, _ := node.(map[string]any)
		node = m[key]
	}
	text, _ := node.(string)
	return text
}

func emailsOf(user map[string]any) (out []string) {
	list, _ := user["emails"].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			if text, _ := m["value"].(string); text != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

// searchHash tells the words of a person from others.
func searchHash(words []searchWord) string {
	sum := sha256.New()
	for _, w := range words {
		fmt.Fprintf(sum, "%d %s\n", w.rank, w.word)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// searchLater brings what a person is found by in step at the end of the transaction.
func (t *Tx) searchLater(identity, name string, user map[string]any) {
	if t.later.words == nil {
		t.later.words = map[string][]searchWord{}
	}
	t.later.words[identity] = searchWords(name, user)
}

// endSearch writes the words of those of whom they differ. The caller holds the rows of
// these people.
func (t *Tx) endSearch() error {
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(t.later.words)), idChunk) {
		where, args := t.among("id", chunk)
		found, err := t.pairs(`SELECT id, search_hash FROM identities WHERE erased_at IS NULL AND `+where, t.planned(args)...)
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		var ids, had []string
		for _, p := range found {
			if p[1] != searchHash(t.later.words[p[0]]) {
				ids = append(ids, p[0])
				if p[1] != "" {
					had = append(had, p[0])
				}
			}
		}
		slices.Sort(ids)
		if err := t.writeWords(ids, had); err != nil {
			return fmt.Errorf("search: %w", err)
		}
	}
	return nil
}

// writeWords stores the words of people; had are those who have some already.
func (t *Tx) writeWords(ids, had []string) error {
	if len(had) > 0 {
		where, args := t.among("identity_id", had)
		if _, err := t.exec(`DELETE FROM search_words WHERE `+where, t.planned(args)...); err != nil {
			return err
		}
	}
	hashes, words := newRowset("id text", "hash text"), newRowset("identity_id text", "rank bigint", "word text")
	for _, id := range ids {
		hashes.add(id, searchHash(t.later.words[id]))
		for _, w := range t.later.words[id] {
			words.add(id, w.rank, w.word)
		}
	}
	if _, err := t.inRows(words, `INSERT INTO search_words (identity_id, rank, word) SELECT identity_id, rank, word FROM v WHERE TRUE ON CONFLICT DO NOTHING`); err != nil {
		return err
	}
	_, err := t.inRows(hashes, `UPDATE identities SET search_hash = v.hash FROM v WHERE identities.id = v.id`)
	return err
}

// IndexPeople makes the next people to be found who are not yet: after an upgrade, or
// not evaluated so far. It returns how many it took, and the last of them; empty: there
// is nobody after the given one.
func (s *Store) IndexPeople(ctx context.Context, after string, limit int) (n int, last string, err error) {
	var ids []string
	err = s.single(ctx, s.read, func(tx *Tx) error {
		ids, err = tx.texts(`SELECT id FROM identities WHERE search_hash = '' AND erased_at IS NULL AND id > ? ORDER BY id LIMIT ?`, after, limit)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, "", err
	}
	err = s.Update(ctx, func(tx *Tx) error {
		held, err := tx.LockIdentities(ids...)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if row, ok := held[id]; ok && row.ErasedAt == nil {
				tx.searchLater(id, row.Name, row.User)
			}
		}
		return nil
	})
	return len(ids), ids[len(ids)-1], err
}

// Unindexed counts the people who are not found yet, at most limit.
func (s *Store) Unindexed(ctx context.Context, limit int) (n int, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*) FROM (SELECT id FROM identities WHERE search_hash = '' AND erased_at IS NULL LIMIT ?) AS x`, limit).Scan(&n)
	})
	return n, err
}
