//go:build race

package main

// raceDetector: each story is told on one of the databases; on all of them without.
const raceDetector = true
