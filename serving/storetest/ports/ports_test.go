package ports_test

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/ports"
)

// TestFree: an address can be listened at, given up and listened at again, none is given out twice, and none is one that the
// system would give to others meanwhile.
func TestFree(t *testing.T) {
	low := 32_768
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if low, err = strconv.Atoi(strings.Fields(string(b))[0]); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for range 20 {
		address := ports.Free(t)
		if seen[address] {
			t.Fatalf("%s is given out twice", address)
		}
		seen[address] = true
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		if port, err := strconv.Atoi(text); err != nil || low >= 16_000 && port >= low {
			t.Errorf("%s is one that the system gives out itself, from %d on (%v)", address, low, err)
		}
		for range 2 {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
