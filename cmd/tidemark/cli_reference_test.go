package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestReferenceUsedcar: what get answers for every entity, out of bases, deltas and block tiles, is what the reference
// makes of the output of log, which knows nothing of them.
func TestReferenceUsedcar(t *testing.T) {
	t.Parallel()
	python := needed(t, "python3")
	in := newInstallation(t, "")
	in.gen(12_000)
	up := in.upSmall()
	in.awaitQuiet()
	in.gen(8_000, "--seed", "2")
	in.awaitQuiet()
	in.awaitRuns(2)
	in.judgedFromOutside(python)
	in.fullyChecked()
	up.terminate()
}

// overflows is a line whose quantity times price is no decimal(3) any more: the revenue is null, in every judge's eyes.
const overflows = `{"invoice":"1","stock_code":"a","quantity":2000000000,"invoice_time":1291194000000,"price":9000000000000,"customer_id":"17850"}`

// TestReferenceRetail is the same on real data, killed once on the way.
func TestReferenceRetail(t *testing.T) {
	t.Parallel()
	python := needed(t, "python3")
	in := newInstallation(t, "")
	in.job = "../../jobs/retail"
	invoke(t, "", "produce", in.job, "--kafka", in.kafka, "--from", retailExcerpt).want(t, exitOK)
	in.upSmall().kill()
	up := in.upSmall()
	in.awaitQuiet()
	invoke(t, overflows, "produce", in.job, "--kafka", in.kafka, "--from", "-").want(t, exitOK)
	in.awaitQuiet()
	if n := up.metric("tidemark_speed_expression_errors_total"); n == 0 {
		t.Error("an expression that overflowed was not counted")
	}
	in.judgedFromOutside(python)
	in.fullyChecked()
	up.terminate()
}

// judgedFromOutside has the reference judge the answers for all entities: of one view as of now, of the other each at its
// newest event.
func (in *installation) judgedFromOutside(python string) {
	in.t.Helper()
	log := filepath.Join(in.folder, "log.jsonl")
	in.keep(log, in.log("-o", "json").stdout)
	j, err := loadJob(in.job)
	if err != nil {
		in.t.Fatal(err)
	}
	args := []string{"../../testdata/reference/reference.py", in.job, log}
	s := in.openStore()
	for i, view := range viewNames(j) {
		g, err := newReader(j, s).Served(in.t.Context(), view)
		if err != nil {
			in.t.Fatal(err)
		}
		var keys strings.Builder
		err = s.Scan(in.t.Context(), g.Namespace, func(id lane.RowID) error {
			keys.Write(append(id.Key, '\n'))
			return nil
		})
		if err != nil {
			in.t.Fatal(err)
		}
		asOf := []string{"", "newest"}[i%2]
		answers := filepath.Join(in.folder, view+".jsonl")
		in.keep(answers, invoke(in.t, keys.String(), "get", in.job, view, "-", "-o", "json", "--as-of", asOf, "--store", in.store).want(in.t, exitOK).stdout)
		args = append(args, "--against", answers)
	}
	out, err := exec.CommandContext(in.t.Context(), python, args...).CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		in.t.Fatal(err)
	}
	if err != nil || !strings.HasSuffix(string(out), " profiles, 0 differences\n") {
		in.t.Errorf("the reference says (%v):\n%.4000s", err, out)
	}
	in.t.Logf("%s", out)
}

func (in *installation) keep(file, text string) {
	in.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

// digests finds the two digests of a full check.
var digests = regexp.MustCompile(`: (\d+) rows, 0 wrong; digest of the states by the run files ([0-9a-f]{64}), by the recompute ([0-9a-f]{64})\n`)

// fullyChecked wants the full check to find the merged run files to be what the whole archive makes, byte for byte.
func (in *installation) fullyChecked() {
	in.t.Helper()
	out := in.askBatch("batch", "--check").want(in.t, exitOK).stdout
	found := digests.FindAllStringSubmatch(out, -1)
	if len(found) != 2 || found[0][2] == found[1][2] {
		in.t.Fatalf("batch --check says of two views:\n%s", out)
	}
	for _, f := range found {
		if f[1] == "0" || f[2] != f[3] {
			in.t.Errorf("batch --check: %s", f[0])
		}
	}
}

// TestDamagedRun: a run file that was changed is found by the full check, by name.
func TestDamagedRun(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	in.gen(3000)
	up := in.upSmall()
	in.awaitQuiet()
	up.terminate()
	in.fullyChecked()
	files, err := filepath.Glob(filepath.Join(in.folder, "state", "usedcar", "listing", "*", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	flipByte(t, files[0], int(info.Size()/2))
	r := in.askBatch("batch", "--check")
	if r.code != exitFailed || !strings.Contains(r.stderr, files[0]) {
		t.Errorf("batch --check after a byte of %s was changed: exit code %d\n%s%s", files[0], r.code, r.stdout, r.stderr)
	}
}
