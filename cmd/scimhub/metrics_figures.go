package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How figures are read from the database for scrapes.
const (
	figuresFresh    = time.Second     // as long at least they are told again without being read
	figuresShare    = 100             // of the time that passes, reading a part may take one in so many
	figuresPatience = 2 * time.Second // that a scrape waits for those being read
	figuresLimit    = time.Minute     // for reading a part
	figuresKept     = 5 * time.Minute // as long they are told on where they cannot be read
	figuresAtOnce   = 2               // parts that are read at the same time
)

// show gives one gauge of a part.
type show func(d *prometheus.Desc, value float64, labels ...string)

// part is a group of gauges that are read from the database together: they tell of all
// replicas, and survive a restart.
type part struct {
	name  string
	descs []*prometheus.Desc
	read  func(context.Context, show) error

	mu      sync.Mutex
	running chan struct{} // closed when the reading under way ends; nil: none is
	values  []prometheus.Metric
	taken   time.Time     // when they were read; zero: they never were
	took    time.Duration // reading them
	failed  float64       // readings in vain
}

// figures is the collector of all parts. A scrape never costs more than a look at what
// was read before: a part is read again when a scrape finds it old, and the longer that
// took the last time the later. However many scrape, and however many people there are,
// reading takes no more than a hundredth of the time of one connection a part. Where the
// database does not answer, what was read last is told for some minutes, and everything
// else in the scrape at once.
type figures struct {
	parts []*part
	slots chan struct{}
	now   func() time.Time
}

func newFigures(parts ...*part) *figures {
	return &figures{parts: parts, slots: make(chan struct{}, figuresAtOnce), now: time.Now}
}

var (
	figuresAge = prometheus.NewDesc("scimhub_figures_age_seconds",
		"Seconds since the figures of a part were read from the database; they are read seldom where that takes long.", []string{"part"}, nil)
	figuresTook = prometheus.NewDesc("scimhub_figures_read_seconds",
		"Seconds that reading a part's figures from the database took last.", []string{"part"}, nil)
	figuresFailed = prometheus.NewDesc("scimhub_figures_failures_total",
		"Readings of a part's figures from the database that failed.", []string{"part"}, nil)
)

// Describe is part of prometheus.Collector.
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, p := range f.parts {
		for _, d := range p.descs {
			ch <- d
		}
	}
	ch <- figuresAge
	ch <- figuresTook
	ch <- figuresFailed
}

// Collect is part of prometheus.Collector.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	var running []chan struct{}
	for _, p := range f.parts {
		if done := f.refresh(p); done != nil {
			running = append(running, done)
		}
	}
	patience := time.NewTimer(figuresPatience)
	defer patience.Stop()
	for _, done := range running {
		select {
		case <-done:
			continue
		case <-patience.C:
		}
		break
	}
	for _, p := range f.parts {
		p.tell(ch, f.now())
	}
}

// refresh has a part read again where it is due. It returns what is closed when the
// reading under way ends, if there is one.
func (f *figures) refresh(p *part) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil || !p.taken.IsZero() && f.now().Sub(p.taken) < max(figuresFresh, figuresShare*p.took) {
		return p.running
	}
	p.running = make(chan struct{})
	go f.read(p, p.running)
	return p.running
}

func (f *figures) read(p *part, done chan struct{}) {
	f.slots <- struct{}{}
	began := f.now()
	ctx, cancel := context.WithTimeout(context.Background(), figuresLimit)
	var values []prometheus.Metric
	err := p.read(ctx, func(d *prometheus.Desc, value float64, labels ...string) {
		values = append(values, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...))
	})
	cancel()
	<-f.slots
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running = nil; err != nil {
		p.failed++
	} else {
		p.values, p.taken, p.took = slices.Clip(values), f.now(), f.now().Sub(began)
	}
	close(done)
}

// tell gives what was read last, unless that is too long ago.
func (p *part) tell(ch chan<- prometheus.Metric, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(figuresFailed, prometheus.CounterValue, p.failed, p.name)
	if p.taken.IsZero() {
		return
	}
	age := now.Sub(p.taken)
	ch <- prometheus.MustNewConstMetric(figuresAge, prometheus.GaugeValue, age.Seconds(), p.name)
	ch <- prometheus.MustNewConstMetric(figuresTook, prometheus.GaugeValue, p.took.Seconds(), p.name)
	if age > figuresKept+2*figuresShare*p.took {
		return
	}
	for _, v := range p.values {
		ch <- v
	}
}
