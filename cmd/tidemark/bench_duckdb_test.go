package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/position"
)

// duckdbPython names a Python that has DuckDB (testdata/duckdb/requirements.txt): with it the full run is compared.
const duckdbPython = "TIDEMARK_DUCKDB_PYTHON"

// duckdbReport is what testdata/duckdb/run.py prints.
type duckdbReport struct {
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
	User       int64   `json:"user"`
	Listing    int64   `json:"listing"`
}

// besideDuckDB makes the same profiles with DuckDB and with a full run, by turns, from one archive on two threads each, and
// reports how many times longer DuckDB takes. Floor: 5.
func besideDuckDB(b *testing.B, j *job.Job, archive string, cut position.Cut) {
	b.Helper()
	python := os.Getenv(duckdbPython)
	if python == "" {
		b.Skipf("name a Python that has the package duckdb in %s", duckdbPython)
	}
	var ours, theirs time.Duration
	var oursCPU time.Duration
	var theirsCPU float64
	for b.Loop() {
		syscall.Sync()
		begin, cpu := time.Now(), cpuTime()
		rows := fullRun(b, j, archive, b.TempDir(), cut)
		ours += time.Since(begin)
		oursCPU += cpuTime() - cpu
		syscall.Sync()
		r := duckdb(b, python, archive)
		theirs += time.Duration(r.Seconds * float64(time.Second))
		theirsCPU += r.CPUSeconds
		if rows["user"] != r.User || rows["listing"] != r.Listing {
			b.Fatalf("the run made %v profiles, DuckDB %d and %d", rows, r.User, r.Listing)
		}
	}
	b.ReportMetric(theirs.Seconds()/float64(b.N), "duckdb-s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-duckdb")
	b.ReportMetric(theirsCPU/oursCPU.Seconds(), "x-duckdb-cpu")
}

func duckdb(b *testing.B, python, archive string) (r duckdbReport) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), python, filepath.Join("..", "..", "testdata", "duckdb", "run.py"), archive, b.TempDir(), "2")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		b.Fatalf("%v: %v", cmd.Args, err)
	}
	return r
}
