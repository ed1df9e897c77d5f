//go:build !race

package storetest

// UnderRace reports whether the race detector watches, and everything takes ten times as long.
const UnderRace = false
