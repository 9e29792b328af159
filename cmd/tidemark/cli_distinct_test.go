package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/operator"
)

// TestDistinctBecomesAnEstimate: one listing is seen by more devices than are kept one by one, and the change falls between
// block tiles, deltas and bases: it is exact before and an estimate after, speed, batch and the plain fold have the same
// bytes, and the reference, which counts, finds no answer beyond the stated error.
func TestDistinctBecomesAnEstimate(t *testing.T) {
	t.Parallel()
	python := needed(t, "python3")
	in := newInstallation(t, "")
	const (
		fresh   = 600  // devices that each part brings
		records = 1600 // of each part: a block of each partition is full
	)
	now := time.Now().UnixMilli()
	part := func(n int) {
		var lines strings.Builder
		for i := range records {
			fmt.Fprintf(&lines, `{"event_id":"e%d-%d","event_time":%d,"event_type":"view","device_id":"d%d","listing_id":"crowd"}`+"\n",
				n, i, now+int64(i), n*fresh+i%fresh)
		}
		invoke(t, lines.String(), "produce", in.job, "--kafka", in.kafka, "--from", "-").want(t, exitOK)
	}
	viewers := func() float64 {
		var a struct {
			Profiles []struct {
				Features struct {
					Uniq struct{ Value float64 } `json:"uniq_viewers_24h"`
				}
			}
		}
		r := invoke(t, "", "get", in.job, "listing", "crowd", "--features", "uniq_viewers_24h", "--store", in.store, "-o", "json").want(t, exitOK)
		unmarshal(t, r.stdout, &a)
		return a.Profiles[0].Features.Uniq.Value
	}
	in.gen(200)
	up := in.upSmall("--base-every", "2")
	for n := range 4 {
		part(n)
		in.awaitQuiet()
		devices := float64((n + 1) * fresh)
		// Four times the standard error of 4,096 registers; exact as long as all devices ever are kept one by one.
		bound := 0.0
		if devices > operator.MaxExact {
			bound = 4 * 1.04 / math.Sqrt(4096) * devices
		}
		if got := viewers(); math.Abs(got-devices) > bound || (bound > 0 && got <= operator.MaxExact) {
			t.Errorf("%v viewers, want %v ± %v", got, devices, bound)
		}
		t.Log(in.verified())
	}
	in.awaitRuns(3)
	in.judgedFromOutside(python)
	in.fullyChecked()
	up.terminate()
}
