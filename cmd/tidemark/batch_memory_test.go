package main

import (
	"math"
	"os"
	"runtime/debug"
	"testing"
)

// TestBatchLimitsMemory: a process that runs batch alone collects garbage before it holds two and a half times --memory,
// unless its user says otherwise.
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
	limitMemory(&options{memory: 128 << 20})
	if limit := debug.SetMemoryLimit(-1); limit != 320<<20 {
		t.Errorf("it is %d", limit)
	}
}
