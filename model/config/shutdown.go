package config

import "time"

// longestShutdownDelay is what an orchestrator still waits for before it kills.
const longestShutdownDelay = 5 * time.Minute

// shutdownDelay reads how long a hub that was told to stop goes on answering.
func (r *reader) shutdownDelay(n *node) *time.Duration {
	d := r.duration(n)
	if d > longestShutdownDelay {
		r.fault(n, "is longer than 5m: whoever stops the hub waits for less")
	}
	return &d
}
