package model

import (
	"fmt"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// Systems without an empty date write 0001-01-01 or 1900-01-01 in its place, which
// stands for none: nobody left before firstYear. They write 9999-12-31, too; that is
// far away, whether as an end or as a start, but must not become the year 10000, which
// no format takes.
const (
	firstYear = 1901
	lastYear  = 9998
)

// DateAt reads a moment of a merged user, such as the start date that the
// configuration names: an RFC 3339 dateTime; one without zone, which is in the
// given one; or a plain date, which is the first moment of that day there, even
// where the day has no midnight. Nil where there is none. What is there but no date
// is an Invalid error: it must not be taken for none.
//
// The zone is the configuration's and never the person's own timezone attribute:
// nobody is to move their last day.
func DateAt(user map[string]any, path scim.Path, zone *time.Location) (*time.Time, error) {
	d, err := dateAt(user, path)
	if err != nil || d == nil {
		return nil, err
	}
	at := d.in(zone)
	return &at, nil
}

// DayAfter reads a last day and gives the first moment of the day after it in the
// zone. Of a dateTime only the day counts, as it is written: 2027-06-30T00:00:00Z
// is how many systems write 30 June, wherever they are.
func DayAfter(user map[string]any, path scim.Path, zone *time.Location) (*time.Time, error) {
	d, err := dateAt(user, path)
	if err != nil || d == nil {
		return nil, err
	}
	year, month, day := d.written.Date()
	at := firstMoment(year, month, day+1, zone)
	return &at, nil
}

// date is a moment or a day as a source wrote it.
type date struct {
	written time.Time
	zoned   bool // it names its zone
	day     bool // it has no time
}

func (d date) in(zone *time.Location) time.Time {
	year, month, day := d.written.Date()
	switch {
	case d.zoned:
		return d.written.UTC()
	case d.day:
		return firstMoment(year, month, day, zone)
	}
	hour, minute, second := d.written.Clock()
	return time.Date(year, month, day, hour, minute, second, d.written.Nanosecond(), zone).UTC()
}

// firstMoment is when a day begins in a zone. Where clocks are put forward over
// midnight that is when they are.
func firstMoment(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	want := time.Date(year, month, day, 0, 0, 0, 0, time.UTC) // 31 June is 1 July in both
	local := func(t time.Time) time.Time {
		y, m, d := t.In(zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	start, end := t.ZoneBounds()
	switch {
	case local(t).Before(want) && !end.IsZero():
		t = end // the clock jumps from the day before into this one, or over it
	case !start.IsZero() && !local(start).Before(want) && local(start.Add(-1)).Before(want):
		t = start
	}
	return t.UTC()
}

func dateAt(user map[string]any, path scim.Path) (*date, error) {
	attr, value := path.Attr, AttributeAt(user, path)
	if path.Sub != "" {
		sub, _ := value.(map[string]any)
		value = Member(sub, path.Sub)
	}
	if Unassigned(value) {
		return nil, nil
	}
	text, ok := value.(string)
	if !ok {
		return nil, Fail(Invalid, fmt.Sprintf("%s is not a date", attr), nil)
	}
	for _, form := range []struct {
		layout string
		date
	}{{time.RFC3339, date{zoned: true}}, {time.DateOnly, date{day: true}}, {"2006-01-02T15:04:05", date{}}} {
		t, err := time.Parse(form.layout, strings.TrimSpace(text))
		if err != nil {
			continue
		}
		if t.Year() < firstYear {
			return nil, nil
		}
		if t.Year() > lastYear {
			t = time.Date(lastYear, time.December, 31, 0, 0, 0, 0, time.UTC)
		}
		form.written = t.Truncate(time.Microsecond) // as times are stored
		return &form.date, nil
	}
	return nil, Fail(Invalid, fmt.Sprintf("%s %q is not a date: write 2027-06-30 or 2027-06-30T08:00:00Z", attr, text), nil)
}
