package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

// acceptLoss runs archive --accept-loss.
func (in *installation) acceptLoss(losses ...string) result {
	in.t.Helper()
	args := []string{"archive", in.job, "--kafka", in.kafka, "--archive", filepath.Join(in.folder, "archive")}
	for _, l := range losses {
		args = append(args, "--accept-loss", l)
	}
	return invoke(in.t, "", args...)
}

// TestAcceptLoss: Kafka trimmed what nobody had archived, while nothing ran. Archive and speed wait and say what for; nothing is
// skipped until somebody accepts the loss by name, which is refused for anything else; then all go on, exactly.
func TestAcceptLoss(t *testing.T) {
	t.Run("development broker", func(t *testing.T) {
		t.Parallel()
		newInstallation(t, redisserver.Start(t).URL()).losesAndAccepts(t)
	})
	t.Run("Apache Kafka", func(t *testing.T) {
		t.Parallel()
		in := newInstallation(t, redisserver.Start(t).URL())
		in.kafka = kafka.Start(t).Addr
		in.losesAndAccepts(t)
	})
}

func (in *installation) losesAndAccepts(t *testing.T) {
	in.gen(3000, "--partitions", "2", "--seed", "1")
	roles := []*process{in.role("archive", "--tail-age", "1s"), in.role("batch"), in.role("speed")}
	in.awaitRuns(1)
	in.awaitQuiet()
	t.Log(in.verified())
	for _, p := range roles {
		p.terminate()
	}
	in.gen(4000, "--seed", "2")
	var status statusReport
	unmarshal(t, in.ask("status", "-o", "json").want(t, exitOK).stdout, &status)
	held := status.Views[0].Partitions[0] // of partition 0: what is archived, and where the log ends
	start := held.Archived + (held.End-held.Archived)/2
	if err := foreign.New(in.kafka, nil).Trim(t.Context(), "usedcar-events", 0, start); err != nil {
		t.Fatal(err)
	}

	arch, batch, speed := in.role("archive"), in.role("batch"), in.role("speed")
	batch.isReady("batch")
	said := arch.await("--accept-loss ", cliWait)
	speed.await("neither in the log nor in the archive", cliWait)
	loss := regexp.MustCompile(`--accept-loss (events/0:[0-9]+-[0-9]+)`).FindStringSubmatch(said)
	if want := fmt.Sprintf("events/0:%d-%d", held.Archived, start); loss == nil || loss[1] != want {
		t.Fatalf("it waits for %v, want %s", loss, want)
	}
	for wrong, says := range map[string]string{
		fmt.Sprintf("0:%d-%d", held.Archived, start+1): fmt.Sprintf("Kafka's log begins at %d", start),
		fmt.Sprintf("0:%d-%d", held.Archived-1, start): "the archive holds",
		fmt.Sprintf("0:%d-%d", held.Archived+1, start): "a gap would stay",
		fmt.Sprintf("1:%d-%d", held.Archived, start):   "Kafka's log begins at 0",
		"7:1-2":         "no partition 7",
		"0:5-5":         "want P:FROM-TO",
		"0":             "want P:FROM-TO",
		"nowhere/0:1-2": "no source \"nowhere\"",
	} {
		if r := in.acceptLoss(wrong).want(t, exitUsage); !strings.Contains(r.stderr, says) {
			t.Errorf("--accept-loss %s does not say %q: %s", wrong, says, r.stderr)
		}
	}
	r := in.acceptLoss(loss[1]).want(t, exitOK)
	if !strings.Contains(r.stdout, ".lost.parquet") {
		t.Errorf("accepted: %s", r.stdout)
	}
	in.acceptLoss(loss[1]).want(t, exitOK) // once more changes nothing
	in.gen(3000, "--seed", "3")
	in.awaitQuiet()
	t.Log(in.verified())
	if out := in.ask("verify").want(t, exitOK).stdout; !strings.Contains(out, fmt.Sprintf("nobody has the records events/0 [%d,%d)", held.Archived, start)) {
		t.Errorf("verify does not tell of the loss: %s", out)
	}
	in.logMarks(position.Range{From: held.Archived, Next: start})
	for _, p := range []*process{arch, batch, speed} {
		p.terminate()
	}
	if out := in.askBatch("batch", "--check").want(t, exitOK).stdout; !strings.Contains(out, " 0 wrong") {
		t.Error(out)
	}
}

// logMarks wants log to mark a loss of partition 0 in its place, and to keep it from those who read records.
func (in *installation) logMarks(loss position.Range) {
	in.t.Helper()
	mark := fmt.Sprintf("events/0@%d-%d\tlost: ", loss.From, loss.Next)
	before, after, found := strings.Cut(in.log().stdout, mark)
	if !found || !strings.Contains(before, fmt.Sprintf("events/0@%d\t", loss.From-1)) || strings.Contains(before, fmt.Sprintf("events/0@%d\t", loss.Next)) ||
		!strings.Contains(after, fmt.Sprintf("\nevents/0@%d\t", loss.Next)) || strings.Contains(after, "lost: ") {
		in.t.Errorf("log does not mark %s in its place", mark)
	}
	r := in.log("-o", "json")
	if strings.Contains(r.stdout, "lost: ") || !strings.Contains(r.stderr, mark) {
		in.t.Errorf("beside its records in JSON, log says %q", r.stderr)
	}
}

// TestAcceptLossOfWhatWasFolded: the speed layer had taken in, and answered, what nobody archived and Kafka has lost since.
// Once the loss is accepted, nothing confirms it any more: verify says so, and refill makes answers what the log is now.
func TestAcceptLossOfWhatWasFolded(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, redisserver.Start(t).URL())
	in.gen(3000, "--partitions", "2", "--seed", "1")
	arch, batch, speed := in.role("archive", "--tail-age", "1s"), in.role("batch"), in.role("speed")
	in.awaitRuns(1)
	in.awaitQuiet()
	arch.terminate()
	in.gen(300, "--seed", "2") // too little to fill a block
	in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
	var status statusReport
	unmarshal(t, in.ask("status", "-o", "json").want(t, exitOK).stdout, &status)
	held := status.Views[0].Partitions[0]
	if err := foreign.New(in.kafka, nil).Trim(t.Context(), "usedcar-events", 0, held.End); err != nil {
		t.Fatal(err)
	}
	arch = in.role("archive", "--tail-age", "1s")
	arch.await("--accept-loss ", cliWait)
	in.acceptLoss(fmt.Sprintf("0:%d-%d", held.Archived, held.End)).want(t, exitOK)
	arch.terminate() // no run is to cover the block, so that only refill can take away what speed has of it in memory
	in.ask("verify").want(t, exitWrong)

	j, err := loadJob(in.job)
	if err != nil {
		t.Fatal(err)
	}
	s := in.openStore()
	lanes, err := newCatalog(j, s).lanes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"refill", in.job}
	for _, id := range lanes {
		args = append(args, id.String())
	}
	invoke(t, "", append(args, "--store", in.store)...).want(t, exitOK)
	in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
	t.Log(in.verified())
	in.gen(300, "--seed", "3")
	in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
	t.Log(in.verified())
	for _, p := range []*process{batch, speed} {
		p.terminate()
	}
}
