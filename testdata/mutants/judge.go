package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// verdict is what came of one test.
type verdict uint8

// The verdicts. Of a mutant, only failed is good; of the code as it is, only passed.
const (
	failed   verdict = iota // by its own name
	passed                  // the mutant survives
	skipped                 // for want of something on this machine
	unbuilt                 // it does not compile
	untested                // there is no such test
	hung                    // until go's timeout
	broken                  // the process ended without the test's name
)

var verdicts = [...]string{
	"the test fails", "SURVIVED: the test passes", "the test is skipped", "it does not compile", "there is no such test",
	"the test hangs until its timeout", "the process ended without the test's own failure",
}

// String returns the verdict for people.
func (v verdict) String() string { return verdicts[v] }

// buildTime bounds, beside the test's own timeout, what go test takes: on a busy machine compiling takes minutes.
const buildTime = 10 * time.Minute

// waitDelay bounds how long a killed go command's children may hold its output open.
const waitDelay = 10 * time.Second

// judge reads what go test -v said of a test, and whether it succeeded.
func judge(output string, ok bool, function string) verdict {
	has := func(line string) bool { return strings.Contains("\n"+output, "\n"+line) }
	switch {
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return unbuilt
	case has("panic: test timed out after"):
		return hung
	case !ok && has("--- FAIL: "+function+" ("):
		return failed
	case !ok:
		return broken
	case has("testing: warning: no tests to run"):
		return untested
	case has("--- SKIP: " + function + " ("):
		return skipped
	}
	return passed
}

// bench runs tests on changed code.
type bench struct {
	root    string // absolute: of the module
	timeout time.Duration
}

// run runs the catcher's test, with a file laid over the tree if overlay is not empty.
func (b *bench) run(ctx context.Context, c catcher, overlay string) (verdict, string, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout+buildTime)
	defer cancel()
	args := []string{"test", "-v", "-count=1", "-vet=off", "-timeout", b.timeout.String(), "-run", c.pattern()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	args = append(append(args, c.pkg, "-args"), strings.Fields(c.args)...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.WaitDelay = b.root, waitDelay
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (ctx.Err() != nil || !errors.As(err, &exit)) {
		return broken, string(out), fmt.Errorf("running go test of %s: %w", c, errors.Join(err, ctx.Err()))
	}
	return judge(string(out), err == nil, c.function()), string(out), nil
}

// result is what came of one mutant.
type result struct {
	verdict verdict
	by      catcher // of the verdict
	output  string  // of its test
	took    time.Duration
}

// mutate applies a mutant and runs its tests until one catches it.
func (b *bench) mutate(ctx context.Context, m *mutant) (r result, err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "mutant-*")
	if err != nil {
		return r, fmt.Errorf("laying mutant %s over the tree: %w", m.name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	overlay, err := b.overlay(dir, m)
	if err != nil {
		return r, err
	}
	for _, r.by = range m.catchers {
		if r.verdict, r.output, err = b.run(ctx, r.by, overlay); err != nil || r.verdict == failed {
			break
		}
	}
	r.took = time.Since(start)
	return r, err
}

// overlay writes the changed file and what tells go of it, and returns the latter's path.
func (b *bench) overlay(dir string, m *mutant) (string, error) {
	path := filepath.Join(b.root, filepath.FromSlash(m.file))
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading what mutant %s changes: %w", m.name, err)
	}
	changed, err := m.apply(string(text))
	if err != nil {
		return "", err
	}
	over, list := filepath.Join(dir, filepath.Base(path)), filepath.Join(dir, "overlay.json")
	tell, err := json.Marshal(map[string]map[string]string{"Replace": {path: over}})
	if err = errors.Join(err, os.WriteFile(over, []byte(changed), 0o600), os.WriteFile(list, tell, 0o600)); err != nil {
		return "", fmt.Errorf("laying mutant %s over the tree: %w", m.name, err)
	}
	return list, nil
}
