package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Deputy is somebody who answers requests in somebody else's place.
type Deputy struct {
	ID      string     `json:"id"`
	Person  string     `json:"person"` // identity in whose place
	Deputy  string     `json:"deputy"` // identity who answers
	From    time.Time  `json:"from"`
	Until   *time.Time `json:"until,omitempty"` // nil: until it is taken back
	Created time.Time  `json:"created"`
	By      string     `json:"by"` // who said so, as the audit trail names them
	Ended   *time.Time `json:"ended,omitempty"`
}

const deputyColumns = `id, person_id, deputy_id, from_at, until_at, created_at, by_whom, ended_at`

// AddDeputy stores a new deputy.
func (t *Tx) AddDeputy(d Deputy) error {
	_, err := t.exec(`INSERT INTO deputies (`+deputyColumns+`) VALUES (?,?,?,?,?,?,?,?)`, d.ID, d.Person, d.Deputy, micros(d.From),
		microsPtr(d.Until), micros(d.Created), d.By, microsPtr(d.Ended))
	return err
}

// EndDeputy takes a deputy back.
func (t *Tx) EndDeputy(id string) error {
	_, err := t.exec(`UPDATE deputies SET ended_at = ? WHERE id = ? AND ended_at IS NULL`, micros(t.Now), id)
	return err
}

// Deputy reads one. model.NotFound if there is none.
func (t *Tx) Deputy(id string) (Deputy, error) {
	d, err := scanDeputy(t.row(`SELECT `+deputyColumns+` FROM deputies WHERE id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return d, model.Fail(model.NotFound, fmt.Sprintf("there is no deputy entry with the id %q", id), nil)
	}
	return d, err
}

func scanDeputy(scan func(...any) error) (d Deputy, err error) {
	var from, created int64
	var until, ended *int64
	err = scan(&d.ID, &d.Person, &d.Deputy, &from, &until, &created, &d.By, &ended)
	d.From, d.Created, d.Until, d.Ended = fromMicros(from), fromMicros(created), timePtr(until), timePtr(ended)
	return d, err
}

// Deputies lists the entries that are not over, in order of creation: those that
// concern a person as either side, or all with an empty one.
func (t *Tx) Deputies(person string) ([]Deputy, error) {
	return t.deputiesWhere(`(? = '' OR person_id = ? OR deputy_id = ?)`, person, person, person)
}

// DeputiesOf reads who answers now in the place of people, by the person.
func (t *Tx) DeputiesOf(people []string) (map[string][]string, error) {
	out := map[string][]string{}
	for start := 0; start < len(people); start += idChunk {
		chunk := people[start:min(start+idChunk, len(people))]
		found, err := t.deputiesWhere(`from_at <= ? AND person_id IN `+list(len(chunk)), append([]any{micros(t.Now)}, anys(chunk)...)...)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			out[d.Person] = append(out[d.Person], d.Deputy)
		}
	}
	return out, nil
}

// DeputyFor lists the people in whose place somebody answers now.
func (t *Tx) DeputyFor(deputy string) (people []string, err error) {
	found, err := t.deputiesWhere(`from_at <= ? AND deputy_id = ?`, micros(t.Now), deputy)
	for _, d := range found {
		people = append(people, d.Person)
	}
	return people, err
}

// deputiesWhere reads entries that have neither been taken back nor come to their end.
func (t *Tx) deputiesWhere(where string, args ...any) (out []Deputy, err error) {
	rows, err := t.query(`SELECT `+deputyColumns+` FROM deputies WHERE ended_at IS NULL AND (until_at IS NULL OR until_at > ?) AND `+where+
		` ORDER BY person_id, id`, append([]any{micros(t.Now)}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("deputies: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDeputy(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("deputies: %w", err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
