// Package ports finds addresses for servers of tests that end and come back at the same address.
//
// It knows ports, and not who listens there.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
)

const (
	lowest = 15_000 // up to where the system's own choices begin
	// usual is where they begin on a Linux that was told nothing else; other systems begin higher.
	usual = 32_768
	// fewest ports are chosen among, wherever the system begins.
	fewest = 1_000
	// tries bounds the search.
	tries = 100
)

// given are the ports that were given out already: who has one need not listen yet, or may be between two lives.
var given sync.Map

// Free returns an address of this machine that nobody listens at and that the system gives to nobody who asks it for any port,
// or connects to somewhere: it stays free while its server is away. It gives out none twice.
func Free(t testing.TB) (address string) {
	t.Helper()
	var taken error
	for range tries {
		port := lowest + rand.IntN(max(systems()-lowest, fewest))
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if _, twice := given.LoadOrStore(port, true); twice {
			continue
		}
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if taken = err; err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatalf("of %d ports none is free: %v", tries, taken)
	return ""
}

// systems returns the lowest port that the system chooses by itself.
func systems() (low int) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	if _, err := fmt.Sscan(string(b), &low); err != nil {
		return usual
	}
	return low
}
