//go:build race

package policy_test

// raceEnabled: what compares answers of pure functions does so with fewer people.
const raceEnabled = true
