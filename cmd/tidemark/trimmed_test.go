package main

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
)

// TestTopicTrimmedBefore: tidemark comes to a topic that has lost its head already, inside of a block and beyond one. What
// is gone is below the origin, nobody waits for it, and all that is left is taken in, exactly.
func TestTopicTrimmedBefore(t *testing.T) {
	in := newInstallation(t, "")
	generate := func(seed string) {
		output(t, cliWait, "gen", in.job, "--kafka", in.kafka, "--events", "20000", "--partitions", "3", "--seed", seed)
	}
	generate("1")
	client := foreign.New(in.kafka, nil)
	for partition, below := range map[int32]int64{0: 777, 1: 4100} {
		if err := client.Trim(t.Context(), "usedcar-events", partition, below); err != nil {
			t.Fatal(err)
		}
	}
	in.up().await("ready role=up", cliWait)
	in.awaitTakenIn()
	t.Log(in.verified())
	generate("2")
	in.awaitTakenIn()
	t.Log(in.verified())
}
