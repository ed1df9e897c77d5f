//go:build !race

package fanout

const underRace = false
