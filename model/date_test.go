package model_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestDatesInZones(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, zone string
		at, after  string // RFC 3339 in UTC; empty: none
	}{
		{"2027-06-30", "UTC", "2027-06-30T00:00:00Z", "2027-07-01T00:00:00Z"},
		{"2027-06-30", "Europe/Berlin", "2027-06-29T22:00:00Z", "2027-06-30T22:00:00Z"},
		{"2027-06-30", "America/New_York", "2027-06-30T04:00:00Z", "2027-07-01T04:00:00Z"},
		{"2027-06-30", "Pacific/Kiritimati", "2027-06-29T10:00:00Z", "2027-06-30T10:00:00Z"},
		{"2027-12-31", "UTC", "2027-12-31T00:00:00Z", "2028-01-01T00:00:00Z"},
		{"2028-02-28", "UTC", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"2027-06-30T12:30:00", "Europe/Berlin", "2027-06-30T10:30:00Z", "2027-06-30T22:00:00Z"},
		{"2027-06-30T12:30:00+05:00", "Europe/Berlin", "2027-06-30T07:30:00Z", "2027-06-30T22:00:00Z"},
		// The day as it is written, not the day that this moment has elsewhere.
		{"2027-06-30T00:00:00Z", "America/New_York", "2027-06-30T00:00:00Z", "2027-07-01T04:00:00Z"},
		// The day on which clocks change: 23 and 25 hours.
		{"2027-03-28", "Europe/Berlin", "2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z"},
		{"2027-10-31", "Europe/Berlin", "2027-10-30T22:00:00Z", "2027-10-31T23:00:00Z"},
		// No midnight: clocks were put forward from 00:00 to 01:00.
		{"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"2018-11-03", "America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		// No such day: 30 December 2011 was left out.
		{"2011-12-29", "Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		// What stands for no date, and for one that never comes.
		{"0001-01-01T00:00:00Z", "UTC", "", ""},
		{"1900-01-01", "UTC", "", ""},
		{"9999-12-31", "UTC", "9998-12-31T00:00:00Z", "9999-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59-12:00", "UTC", "9998-12-31T00:00:00Z", "9999-01-01T00:00:00Z"},
		{" ", "UTC", "error", "error"},
		{"30.06.2027", "UTC", "error", "error"},
		{"2027-06-31", "UTC", "error", "error"},
	} {
		user := attrs{"d": tt.text}
		for what, read := range map[string]func(map[string]any, scim.Path, *time.Location) (*time.Time, error){"at": model.DateAt, "after": model.DayAfter} {
			want := map[string]string{"at": tt.at, "after": tt.after}[what]
			got, err := read(user, scim.Path{Attr: "d"}, zone(t, tt.zone))
			text := ""
			switch {
			case err != nil:
				text = "error"
			case got != nil:
				text = got.Format(time.RFC3339)
			}
			if text != want {
				t.Errorf("%s in %s, %s: %s, want %s", tt.text, tt.zone, what, text, want)
			}
		}
	}
}

// TestFirstMomentOfDays: whatever the zone and its clocks do, a day begins when it is
// that day and was an earlier one just before, and a last day ends when the next begins.
func TestFirstMomentOfDays(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Africa/Cairo", "Asia/Beirut",
		"Asia/Gaza", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Tehran", "America/Asuncion", "Atlantic/Azores"}
	rapid.Check(t, func(r *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(r, "zone"))
		day := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 25000).Draw(r, "day"))
		user := attrs{"d": day.Format(time.DateOnly), "next": day.AddDate(0, 0, 1).Format(time.DateOnly)}
		at, err := model.DateAt(user, scim.Path{Attr: "d"}, z)
		if err != nil {
			r.Fatal(err)
		}
		local := func(t time.Time) string { return t.In(z).Format(time.DateOnly) }
		if local(*at) < day.Format(time.DateOnly) || local(at.Add(-time.Nanosecond)) >= day.Format(time.DateOnly) {
			r.Errorf("%s in %s begins at %s, just before it is %s", user["d"], z, at.In(z), at.Add(-1).In(z))
		}
		next, _ := model.DateAt(user, scim.Path{Attr: "next"}, z)
		after, _ := model.DayAfter(user, scim.Path{Attr: "d"}, z)
		if !next.Equal(*after) {
			r.Errorf("%s in %s ends at %s, the next begins at %s", user["d"], z, after, next)
		}
	})
}
