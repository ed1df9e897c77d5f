package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
)

// profiled is the program with net/http/pprof beside it, at the address that
// SCIMHUB_PPROF names.
func profiled() {
	ln, err := net.Listen("tcp", os.Getenv("SCIMHUB_PPROF"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	go func() { fmt.Fprintln(os.Stderr, http.Serve(ln, mux)) }() //nolint:gosec // loopback, of a test
	main()
}
