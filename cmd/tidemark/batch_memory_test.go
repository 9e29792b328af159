package main

import (
	"math"
	"os"
	"runtime/debug"
	"testing"
)

// TestBatchLimitsMemory: a process that runs batch alone collects garbage before it holds two and a half times --memory,
// but not at less than it needs anyway, unless its user says otherwise.
func TestBatchLimitsMemory(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "1GiB")
	limitMemory(&options{memory: 128 << 20})
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Errorf("with GOMEMLIMIT set it is %d", limit)
	}
	if err := os.Unsetenv("GOMEMLIMIT"); err != nil { // t.Setenv brings back what was there
		t.Fatal(err)
	}
	for memory, want := range map[byteSize]int64{128 << 20: 320 << 20, 1 << 20: leastMemory, 1 << 62: math.MaxInt64 / 10 * 5} {
		limitMemory(&options{memory: memory})
		if limit := debug.SetMemoryLimit(-1); limit != want {
			t.Errorf("with --memory %s it is %d, want %d", &memory, limit, want)
		}
	}
}
