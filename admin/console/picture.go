package console

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"
)

// order is how states stand in a bar: what is well first.
var order = []string{"in_sync", "disabled", "pending", "held", "drifted", "failed", "unknown", "deleted"} //nolint:gochecknoglobals // read only

// stateBar draws how many accounts are in each state, and says it in words, too.
func stateBar(counts map[string]int) template.HTML {
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return `<span class="dim">no accounts</span>`
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		ia, ib := slices.Index(order, a), slices.Index(order, b)
		if ia != ib {
			return ia - ib
		}
		return strings.Compare(a, b)
	})
	var bar, text strings.Builder
	x := 0.0
	for _, name := range names {
		n := counts[name]
		if n == 0 {
			continue
		}
		width := max(float64(n)*200/float64(total), 1.5) // the few that failed are to be seen
		fmt.Fprintf(&bar, `<rect class="f-%s" x="%.1f" y="0" width="%.1f" height="10"/>`, template.HTMLEscapeString(name), x, width)
		x += width
		if text.Len() > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "%s %s", number(n), template.HTMLEscapeString(words(name)))
	}
	return template.HTML(fmt.Sprintf(`<span class="bar"><svg viewBox="0 0 %.1f 10" preserveAspectRatio="none" aria-hidden="true">%s</svg> <span class="small">%s</span></span>`, //nolint:gosec // escaped above
		x, bar.String(), text.String()))
}

// sparkline draws numbers over time, the newest at the right; title says what they are.
func sparkline(values []int, title string) template.HTML {
	if len(values) < 2 {
		return ""
	}
	top := max(slices.Max(values), 1)
	var points strings.Builder
	for i, v := range values {
		fmt.Fprintf(&points, "%.1f,%.1f ", float64(i)*100/float64(len(values)-1), 19-18*float64(v)/float64(top))
	}
	t := template.HTMLEscapeString(fmt.Sprintf("%s: now %s, most %s", title, number(values[len(values)-1]), number(top)))
	return template.HTML(fmt.Sprintf(`<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label="%s"><title>%s</title><polyline points="%s"/></svg>`, //nolint:gosec // escaped above
		t, t, strings.TrimSpace(points.String())))
}

// moment is something on a time line.
type moment struct {
	At   time.Time
	Kind string // decides the colour: join, move, leave, grant, revoke, change, error
	Text string
}

// timelineOf draws moments on a line from the first to the last. What they were stands
// in a list beside it, which the picture only illustrates.
func timelineOf(moments []moment) template.HTML {
	if len(moments) < 2 {
		return ""
	}
	list := slices.SortedFunc(slices.Values(moments), func(a, b moment) int { return a.At.Compare(b.At) })
	first, last := list[0].At, list[len(list)-1].At
	whole := max(last.Sub(first), time.Second)
	var dots strings.Builder
	for _, m := range list {
		x := 6 + 588*float64(m.At.Sub(first))/float64(whole)
		fmt.Fprintf(&dots, `<circle class="k-%s" cx="%.1f" cy="14" r="5"><title>%s: %s</title></circle>`, template.HTMLEscapeString(m.Kind), x,
			m.At.UTC().Format("2006-01-02 15:04"), template.HTMLEscapeString(m.Text))
	}
	return template.HTML(fmt.Sprintf(`<svg class="line" viewBox="0 0 600 40" aria-hidden="true"><path d="M6 14H594"/>%s<text x="6" y="36">%s</text><text x="594" y="36" text-anchor="end">%s</text></svg>`, //nolint:gosec // escaped above
		dots.String(), first.UTC().Format(time.DateOnly), last.UTC().Format(time.DateOnly)))
}
