//go:build race

package hub_test

// raceEnabled: random histories are fewer, and all of them run without the detector.
const raceEnabled = true
