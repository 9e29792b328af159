package main

import (
	"errors"
	"testing"
)

// TestAwait: a line is found though the process has ended by the time somebody looks, though others were printed after it,
// and though it came before one that was awaited first; each line is found once.
func TestAwait(t *testing.T) {
	t.Parallel()
	for range 100 { // the process's end and its lines are both there: nothing is to depend on which is seen first
		p := &process{t: t, out: newWatched(), ended: make(chan error, 1)}
		for range 2000 {
			p.out.add("noise")
		}
		p.out.add("early")
		p.out.add("ready role=a")
		p.out.add("ready role=b")
		p.ended <- errors.New("killed")
		for _, want := range []struct{ text, line string }{
			{"ready role=", "ready role=a"}, {"early", "early"}, {"ready role=", "ready role=b"},
		} {
			if line := p.await(want.text, cliWait); line != want.line {
				t.Fatalf("awaiting %q: %q, want %q", want.text, line, want.line)
			}
		}
		if line, found := p.out.take("ready role="); found {
			t.Fatalf("%q was found again", line)
		}
	}
}
