package storetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Port is a port of loopback for a server that a test starts later. It is none of those
// that the system gives to whoever asks for any: until then another would get it.
func Port(t testing.TB) int {
	t.Helper()
	var lc net.ListenConfig
	for range 100 {
		port := 12000 + rand.IntN(20000)
		ln, err := lc.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		ln.Close()
		return port
	}
	t.Fatal("no port is free")
	return 0
}
