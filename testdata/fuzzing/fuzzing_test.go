package fuzzing_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzSelf is a target that fails on one input near its seed, where TestBulk asks for it.
func FuzzSelf(f *testing.F) {
	f.Add([]byte("abc"), 7, true, "x", uint8(3))
	fails := os.Getenv("FUZZ_SELF") != ""
	fuzzing.Target(f, func(t *testing.T, b []byte, _ int, _ bool, _ string, _ uint8) {
		if fails && bytes.HasPrefix(b, []byte("abd")) {
			t.Fatal("found")
		}
	})
}

// TestBulk: the bulk runs many executions and counts them, fails where the target does, and says with what.
func TestBulk(t *testing.T) {
	t.Parallel()
	run := func(env ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^FuzzSelf$", "-test.v")
		cmd.Env = append(append(os.Environ(), fuzzing.Bulk+"=50ms"), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := regexp.MustCompile(`executions: (\d+)`).FindStringSubmatch(out)
	if said == nil {
		t.Fatalf("it does not count:\n%s", out)
	}
	if n, err := strconv.Atoi(said[1]); err != nil || n < 100 {
		t.Errorf("%d executions", n)
	}
	out, err = run("FUZZ_SELF=1", fuzzing.Bulk+"=1m")
	if err == nil || !strings.Contains(out, "found") || !strings.Contains(out, "called with []byte{0x61, 0x62, 0x64") {
		t.Errorf("it does not fail and say on what: %v\n%s", err, out)
	}
}

// TestMutate: changes are near, of every kind, bounded, and leave the seed alone.
func TestMutate(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	seed := []byte(strings.Repeat("0123456789", 10))
	kept := bytes.Clone(seed)
	shorter, longer, same, seen := 0, 0, 0, map[string]bool{}
	for range 2000 {
		m := fuzzing.Mutate(random, seed)
		seen[string(m)] = true
		switch {
		case len(m) < len(seed):
			shorter++
		case len(m) > len(seed):
			longer++
		default:
			same++
		}
	}
	if !bytes.Equal(seed, kept) {
		t.Error("the seed was changed")
	}
	if len(seen) < 1900 || shorter < 200 || longer < 200 || same < 200 {
		t.Errorf("%d different ones, %d shorter, %d longer, %d as long", len(seen), shorter, longer, same)
	}
	if len(fuzzing.Mutate(random, nil)) == 0 {
		t.Error("nothing is mutated to nothing")
	}
}
