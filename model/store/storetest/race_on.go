//go:build race

package storetest

// underRace: the race detector watches, and everything takes ten times as long.
const underRace = true
