package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// functions are what templates may call.
func functions(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"ago":       func(v any) string { return ago(now(), timeOf(v)) },
		"iso":       func(v any) string { return timeOf(v).UTC().Format(time.RFC3339) },
		"full":      func(v any) string { return timeOf(v).UTC().Format("2006-01-02 15:04:05 UTC") },
		"day":       func(v any) string { return timeOf(v).UTC().Format(time.DateOnly) },
		"past":      func(v any) bool { t := timeOf(v); return !t.IsZero() && t.Before(now()) },
		"now":       now,
		"words":     words,
		"plural":    plural,
		"query":     Query,
		"path":      pathOf,
		"dict":      dict,
		"list":      func(v ...any) []any { return v },
		"json":      indented,
		"join":      strings.Join,
		"lower":     strings.ToLower,
		"statebar":  stateBar,
		"sparkline": sparkline,
		"timeline":  timelineOf,
		"share":     share,
		"number":    number,
		"took":      tookWords,
	}
}

// timeOf takes what views hold: a time, a pointer to one, or a text of RFC 3339.
func timeOf(v any) time.Time {
	switch t := v.(type) {
	case time.Time:
		return t
	case *time.Time:
		if t != nil {
			return *t
		}
	case string:
		if at, err := time.Parse(time.RFC3339, t); err == nil {
			return at
		}
	}
	return time.Time{}
}

// ago is a moment as people say it.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	if d < 5*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{365 * 24 * time.Hour, "year"}, {30 * 24 * time.Hour, "month"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= 2*u.size || d >= u.size && u.name != "month" {
			return plural(int(d/u.size), u.name)
		}
	}
	return plural(int(d/time.Second), "second")
}

// plural counts things: "1 account", "2 accounts".
func plural(n any, one string) string {
	text := number(n)
	if text == "1" {
		return "1 " + one
	}
	switch {
	case strings.HasSuffix(one, "y") && !strings.HasSuffix(one, "ey") && !strings.HasSuffix(one, "ay"):
		return text + " " + strings.TrimSuffix(one, "y") + "ies"
	case strings.HasSuffix(one, "person"):
		return text + " " + strings.TrimSuffix(one, "person") + "people"
	}
	return text + " " + one + "s"
}

// number writes a count with its thousands apart.
func number(v any) string {
	text := fmt.Sprint(v)
	digits := strings.TrimPrefix(text, "-")
	for _, r := range digits {
		if r < '0' || r > '9' {
			return text
		}
	}
	var out []string
	for len(digits) > 3 {
		out = append([]string{digits[len(digits)-3:]}, out...)
		digits = digits[:len(digits)-3]
	}
	out = append([]string{digits}, out...)
	return text[:len(text)-len(strings.TrimPrefix(text, "-"))] + strings.Join(out, ",")
}

// words makes a name of the API readable: in_sync is "in sync".
func words(v any) string {
	return strings.NewReplacer("_", " ", "-", " ").Replace(fmt.Sprint(v))
}

// pathOf builds an address of the console; what stands for %s is escaped.
func pathOf(format string, parts ...any) string {
	for i, p := range parts {
		parts[i] = template.URLQueryEscaper(p)
		parts[i] = strings.ReplaceAll(parts[i].(string), "+", "%20")
	}
	return fmt.Sprintf(format, parts...)
}

var errDict = errors.New("dict: names and values, in pairs")

// dict makes a value for a part of pairs.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errDict
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errDict
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

func indented(v any) (string, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return string(b), err
}

// share is n of all in percent, for people.
func share(n, all int) string {
	if all == 0 {
		return "–"
	}
	p := float64(n) * 100 / float64(all)
	if p > 0 && p < 1 {
		return "under 1 %"
	}
	return fmt.Sprintf("%.0f %%", p)
}
