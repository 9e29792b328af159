// Package kafka runs real Apache Kafka brokers for tests: each its own process on ports of its own of this machine, ended
// with the test. What a broker is made of and how it is set up is kafka.sh's to know, which people use too; this package
// knows that script and not Kafka's protocol.
package kafka

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
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// requireVar lists, separated by commas, what tests must not be left out for the lack of.
const requireVar = "TIDEMARK_REQUIRE"

const (
	// exitAbsent is the script's exit code when this machine lacks what a broker needs.
	exitAbsent = 3
	// startTries is how often ports are chosen: somebody may take one before the broker does.
	startTries = 3
	// startTimeout bounds a start on a machine that is busy with other things.
	startTimeout = 5 * time.Minute
	// stopTimeout bounds the broker's end; then it is killed.
	stopTimeout = 20 * time.Second
	// keptLines of a broker's log are told if it does not start.
	keptLines = 40
)

// What the script and the broker say.
const (
	sayAddress = "kafka="
	sayReady   = "Kafka Server started"
	sayTaken   = "Address already in use"
)

// errTaken says that somebody has taken a port of the broker.
var errTaken = errors.New("address already in use")

// Server is a broker. Its methods are for one goroutine.
type Server struct {
	Addr       string // host:port, the same after Restart
	dir        string
	properties []string
	cmd        *exec.Cmd
	logged     chan struct{} // closed when the process's output has ended
}

// Start runs a broker until the test ends, with these properties (NAME=VALUE) besides the script's own. Where a JDK or
// Kafka itself cannot be had the test is skipped, or fails if the environment's TIDEMARK_REQUIRE has kafka.
func Start(t testing.TB, properties ...string) *Server {
	t.Helper()
	needJars(t)
	var err error
	for range startTries {
		s := &Server{dir: filepath.Join(t.TempDir(), "kafka"), properties: properties}
		if err = s.start(); err == nil {
			t.Cleanup(s.Kill)
			return s
		}
		if !errors.Is(err, errTaken) {
			break
		}
	}
	t.Fatalf("starting Kafka: %v", err)
	return nil
}

// script is beside this file.
func script() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "kafka.sh")
}

// needJars fetches what a broker needs, unless it is there.
func needJars(t testing.TB) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), script(), "jars").CombinedOutput()
	if err == nil {
		return
	}
	said := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitAbsent {
		t.Fatalf("fetching Kafka: %v\n%s", err, said)
	}
	missing := said[strings.LastIndexByte(said, '\n')+1:]
	for what := range strings.SplitSeq(os.Getenv(requireVar), ",") {
		if strings.TrimSpace(what) == "kafka" {
			t.Fatalf("%s has kafka, but %s", requireVar, missing)
		}
	}
	t.Skip(missing)
}

// start runs the broker, in a new folder or going on in its own, and returns when it serves.
func (s *Server) start() error {
	args := []string{"run", s.dir}
	if s.Addr != "" {
		args = []string{"run", "--again", s.dir}
	}
	// Not tied to a context, which would end before the cleanups that still use the broker. The script becomes the broker.
	s.cmd = exec.CommandContext(context.Background(), script(), append(args, s.properties...)...)
	s.cmd.SysProcAttr = dieWithParent()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	s.cmd.Stdout, s.cmd.Stderr = write, write
	if err := s.cmd.Start(); err != nil {
		return errors.Join(err, read.Close(), write.Close())
	}
	_ = write.Close() // the process has its own
	late := time.AfterFunc(startTimeout, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	return s.awaitReady(read)
}

// awaitReady reads the broker's log until it serves, and leaves the rest to be read by nobody.
func (s *Server) awaitReady(out *os.File) error {
	var last [][]byte
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Bytes()
		if addr, ok := bytes.CutPrefix(line, []byte(sayAddress)); ok {
			s.Addr = string(addr)
		}
		if bytes.Contains(line, []byte(sayReady)) {
			s.logged = make(chan struct{})
			go func() {
				defer close(s.logged)
				_, _ = io.Copy(io.Discard, out) // ends with the process
				_ = out.Close()
			}()
			return nil
		}
		last = append(last[max(0, len(last)-keptLines):], bytes.Clone(line))
	}
	err := errors.Join(lines.Err(), s.cmd.Wait(), out.Close())
	said := bytes.Join(last, []byte("\n"))
	if bytes.Contains(said, []byte(sayTaken)) {
		err = errors.Join(errTaken, err)
	}
	return fmt.Errorf("it ended before it served: %w\n%s", err, said)
}

// PID returns the broker's process, for a test that stops or continues it.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the broker at once, as a crash does. Killing it again does nothing.
func (s *Server) Kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // by its process, which may have ended by itself
		s.wait()
	}
}

// Stop ends the broker in order.
func (s *Server) Stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopTimeout, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	s.wait()
}

func (s *Server) wait() {
	_ = s.cmd.Wait() // says by which signal it ended
	<-s.logged
}

// Restart ends the broker as a crash does, if it runs, and starts it again at the same address with what it had.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		t.Fatalf("starting Kafka again at %s: %v", s.Addr, err)
	}
}
