package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/devbroker"
)

// asTidemark makes the test's own binary behave as tidemark: it is built with whatever the tests are, -race included.
const asTidemark = "TIDEMARK_TEST_MAIN"

// withGrace says, for such a process, how long leftover rows are kept.
const withGrace = "TIDEMARK_TEST_GRACE"

func TestMain(m *testing.M) {
	if os.Getenv(asTidemark) != "" {
		if grace, set := os.LookupEnv(withGrace); set {
			var err error
			if leftoverGrace, err = time.ParseDuration(grace); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(exitUsage)
			}
		}
		sabotage()
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// process is a running tidemark.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	out   *watched
	ended chan error
}

// watched keeps what a process prints and tells who waits for a line.
type watched struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines []string      // those of text that no await has returned yet
	more  chan struct{} // holds something after a line came
}

func newWatched() *watched { return &watched{more: make(chan struct{}, 1)} }

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *watched) follow(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		w.add(s.Text())
	}
}

func (w *watched) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.WriteString(line + "\n")
	w.lines = append(w.lines, line)
	select {
	case w.more <- struct{}{}:
	default: // it holds something already
	}
}

// take returns the first line with text that it has not returned before. Lines that others were looked for in between stay:
// in which order a process prints what its parts have to say is mostly for the scheduler to decide.
func (w *watched) take(text string) (line string, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.lines, func(line string) bool { return strings.Contains(line, text) })
	if i < 0 {
		return "", false
	}
	line = w.lines[i]
	w.lines = slices.Delete(w.lines, i, i+1)
	return line, true
}

// tidemark starts a process. It ends with the test at the latest.
func tidemark(t testing.TB, args ...string) *process {
	t.Helper()
	return tidemarkWith(t, nil, args...)
}

// tidemarkWith starts a process with more in its environment.
func tidemarkWith(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), out: newWatched(), ended: make(chan error, 1)}
	p.cmd.Env = append(append(os.Environ(), asTidemark+"=1"), env...)
	p.cmd.SysProcAttr = dieWithParent(syscall.SIGKILL)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		p.out.follow(r)
	}()
	go func() {
		err := p.cmd.Wait()
		<-followed
		p.ended <- err
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process with SIGKILL and waits for it.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		if err := p.cmd.Process.Kill(); err == nil {
			p.ended <- <-p.ended
		}
	}
}

// await returns the first line that contains text and that no await has returned, printed before or after the call; also of
// a process that printed it and ended. At most one goroutine waits for a process's lines.
func (p *process) await(text string, within time.Duration) string {
	p.t.Helper()
	deadline := time.After(within)
	for {
		if line, found := p.out.take(text); found {
			return line
		}
		select {
		case <-p.out.more:
		case err := <-p.ended:
			p.ended <- err
			if line, found := p.out.take(text); found { // all that it printed is there by now
				return line
			}
			p.t.Fatalf("the process ended (%v) before it printed %q:\n%s", err, text, p.out)
		case <-deadline:
			p.t.Fatalf("no %q within %v:\n%s", text, within, p.out)
		}
	}
}

// awaitShown waits until all that the process has printed so far shows something.
func (p *process) awaitShown(what string, shown func(out string) bool) {
	p.t.Helper()
	for deadline := time.After(cliWait); !shown(p.out.String()); {
		select {
		case <-p.out.more:
		case err := <-p.ended:
			p.ended <- err
			if !shown(p.out.String()) { // all that it printed is there by now
				p.t.Fatalf("the process ended (%v) before it printed %s:\n%s", err, what, p.out)
			}
			return
		case <-deadline:
			p.t.Fatalf("it did not print %s within %v:\n%s", what, cliWait, p.out)
		}
	}
}

// exit waits for the process's end and returns its exit code.
func (p *process) exit(within time.Duration) int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("the process did not end within %v:\n%s", within, p.out)
		return 0
	}
}

// output runs a command to its end, wants exit code 0, and returns what it printed.
func output(t testing.TB, within time.Duration, args ...string) string {
	t.Helper()
	p := tidemark(t, args...)
	if code := p.exit(within); code != 0 {
		t.Fatalf("tidemark %s: exit code %d\n%s", strings.Join(args, " "), code, p.out)
	}
	return p.out.String()
}

// result is what a command came to.
type result struct {
	code           int
	stdout, stderr string
}

// invoke runs a command to its end with what it reads from standard input, and keeps its outputs apart.
func invoke(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), invokeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTidemark+"=1")
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended || ctx.Err() != nil {
		t.Fatalf("tidemark %s: %v\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), errs.String())
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// invokeTimeout bounds one command, which may wait for commandWait before it says what it waited for; none of the tests' takes
// a tenth of it.
const invokeTimeout = 6 * time.Minute

// want fails the test unless the command ended with this code.
func (r result) want(t testing.TB, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// installation is the folders and addresses of one set of processes.
type installation struct {
	t      testing.TB
	job    string
	kafka  string
	store  string
	folder string
}

func newInstallation(t testing.TB, store string) *installation {
	t.Helper()
	b, err := devbroker.Start(devbroker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	in := &installation{t: t, job: "../../jobs/usedcar", kafka: b.Addr(), folder: t.TempDir(), store: store}
	if store == "" {
		in.store = "pebble:" + filepath.Join(in.folder, "store")
	}
	return in
}

// flags are those that say where everything is.
func (in *installation) flags(args ...string) []string {
	return append(args, "--kafka", in.kafka, "--store", in.store, "--archive", filepath.Join(in.folder, "archive"))
}

func (in *installation) up(args ...string) *process {
	in.t.Helper()
	all := in.flags("up", in.job, "--state", filepath.Join(in.folder, "state"), "--cron", "@every 2s", "--block", "2048",
		"--session-timeout", cliSession, "--wait", roleWait)
	return tidemark(in.t, append(all, args...)...)
}

// verified runs verify and returns its last line; anything wrong fails the test.
func (in *installation) verified() string {
	in.t.Helper()
	out := output(in.t, invokeTimeout, in.flags("verify", in.job, "--wait", commandWait)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	var entities, wrong int
	if _, err := fmt.Sscanf(last, "verified %d entities, %d wrong", &entities, &wrong); err != nil || entities == 0 || wrong != 0 {
		in.t.Fatalf("verify says %q", last)
	}
	return last
}

// needed returns a program of the machine, which a package has, of the same name or this; without it the test is left out,
// or fails where it is required.
func needed(t testing.TB, name string, in ...string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err == nil {
		return program
	}
	missing := name + " not installed: apt-get install " + append(in, name)[0]
	for what := range strings.SplitSeq(os.Getenv("TIDEMARK_REQUIRE"), ",") {
		if strings.TrimSpace(what) == name {
			t.Fatal(missing)
		}
	}
	t.Skip(missing)
	return ""
}
