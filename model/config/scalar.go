package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
	year = 365 * day // as retention periods count; no leap days
)

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// ParseDuration reads a Go duration extended by d (24 h), w (7 d) and y (365 d):
// 90m, 30d, 1w2d, 7y. Negative ones and those beyond about 290 years are errors.
func ParseDuration(s string) (time.Duration, error) {
	rest, total := s, time.Duration(0)
	if rest == "0" {
		return 0, nil
	}
	if rest == "" {
		return 0, errors.New("is empty; write a duration such as 90m, 6h, 30d or 7y")
	}
	for rest != "" {
		end := strings.IndexFunc(rest, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
		if end <= 0 {
			return 0, fmt.Errorf("%q is not a duration; write 90m, 6h, 30d, 2w or 7y", s)
		}
		stop := end + strings.IndexFunc(rest[end:]+"0", func(c rune) bool { return c >= '0' && c <= '9' || c == '.' })
		part, err := durationPart(rest[:end], rest[end:stop])
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration; write 90m, 6h, 30d, 2w or 7y", s)
		}
		if total > math.MaxInt64-part {
			return 0, fmt.Errorf("%q is too long", s)
		}
		total, rest = total+part, rest[stop:]
	}
	return total, nil
}

// FormatDuration writes a duration as a configuration does, in days where it is whole
// ones; none is nothing. ParseDuration reads it.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return ""
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return d.String()
}

func durationPart(figure, unit string) (time.Duration, error) {
	scale := map[string]time.Duration{"d": day, "w": week, "y": year}[unit]
	if scale == 0 {
		return time.ParseDuration(figure + unit)
	}
	f, err := strconv.ParseFloat(figure, 64)
	if err != nil || f*float64(scale) >= math.MaxInt64 {
		return 0, errors.New("out of range")
	}
	return time.Duration(f * float64(scale)), nil
}

// ParseDate reads a plain date (its first moment, UTC) or an RFC 3339 time.
func ParseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			if t = t.UTC(); t.Year() > 9999 || t.Year() < 0 { // RFC 3339 has four digits, and no sign
				return time.Time{}, fmt.Errorf("%q lies beyond the years that can be written", s)
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date; write 2027-06-30 or 2027-06-30T12:00:00Z", s)
}

// parsePercent reads 10% or 2.5%.
func parsePercent(s string) (float64, error) {
	figure, ok := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(figure), 64)
	if !ok || err != nil || !(f >= 0 && f <= 100) {
		return 0, fmt.Errorf("%q is not a percentage from 0%% to 100%%", s)
	}
	return f, nil
}

// parseRate reads 10/s, 100/m, 5000/h and gives calls per second.
func parseRate(s string) (float64, error) {
	figure, unit, _ := strings.Cut(s, "/")
	f, err := strconv.ParseFloat(figure, 64)
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if err != nil || seconds == 0 || !(f > 0 && f <= 1e6) {
		return 0, fmt.Errorf("%q is not a rate; write 10/s, 100/m or 5000/h", s)
	}
	return f / seconds, nil
}

// checkURL wants an absolute http or https URL with a host. Credentials in a URL
// end up in logs, so they are refused.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("is not a URL") // the cause would repeat the text, which may hold a password
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("must be an http or https URL with a host")
	case u.User != nil:
		return errors.New("must not hold credentials; use auth with a secret reference")
	case u.Fragment != "":
		return errors.New("must not have a #fragment")
	}
	return nil
}

func checkListen(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("must be an address such as 127.0.0.1:8080 or :8080")
	}
	if p, err := strconv.Atoi(port); err != nil || p < 0 || p > 65535 {
		return errors.New("must end in a port from 0 to 65535")
	}
	return nil
}

// publicURL is where a hub that listens there is reached from the same machine.
func publicURL(listen string, tls bool) string {
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return scheme + listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}
