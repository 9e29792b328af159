// Package redisserver runs real Redis servers for tests: each its own process on a free port of this machine, without
// persistence, ended with the test.
//
// It knows the server's program and not its protocol.
package redisserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/storetest/ports"
)

// Missing is why tests are left out on a machine without a server, and what would add them.
const Missing = "redis-server not installed: apt-get install redis-server"

// requireVar lists, separated by commas, what tests must not be left out for the lack of.
const requireVar = "TIDEMARK_REQUIRE"

// startTries is how often a port is chosen: somebody may take it before the server does.
const startTries = 5

// stopTimeout bounds the server's end; then it is killed.
const stopTimeout = 5 * time.Second

// Server is a running Redis server.
type Server struct {
	Addr string // host:port
	args []string
	dir  string
	tls  *Certs
	cmd  *exec.Cmd

	saved int // files of Save
}

// Start runs a server with these arguments besides its own, until the test ends. Without a server on the machine the
// test is skipped, or fails if the environment's TIDEMARK_REQUIRE has redis.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return run(t, nil, args)
}

// StartTLS runs a server that speaks TLS alone, and wants a client's certificate unless the arguments say otherwise.
func StartTLS(t testing.TB, certs Certs, args ...string) *Server {
	t.Helper()
	return run(t, &certs, args)
}

func run(t testing.TB, certs *Certs, args []string) *Server {
	t.Helper()
	program, dir := find(t), t.TempDir()
	var err error
	for range startTries {
		s := &Server{Addr: ports.Free(t), args: append([]string{program}, args...), dir: dir, tls: certs}
		if err = s.start(); err == nil {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatalf("starting redis-server: %v", err)
	return nil
}

func find(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err == nil {
		return program
	}
	for what := range strings.SplitSeq(os.Getenv(requireVar), ",") {
		if strings.TrimSpace(what) == "redis" {
			t.Fatalf("%s has redis, but %s", requireVar, Missing)
		}
	}
	t.Skip(Missing)
	return ""
}

// start runs the server and returns when it says that it is ready.
func (s *Server) start() error {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	args := []string{"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir}
	if s.tls == nil {
		args = append(args, "--port", port)
	} else {
		args = append(args, "--port", "0", "--tls-port", port, "--tls-ca-cert-file", s.tls.CA,
			"--tls-cert-file", s.tls.ServerCert, "--tls-key-file", s.tls.ServerKey)
	}
	args = append(args, s.args[1:]...)
	// Not tied to a context, which would end before the cleanups that still use the server.
	s.cmd = exec.CommandContext(context.Background(), s.args[0], args...)
	s.cmd.SysProcAttr = dieWithParent()
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	return fmt.Errorf("%w\n%s", s.cmd.Wait(), said.String())
}

// URL returns the redis:// URL of the server's first database.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Kill ends the server at once, as a crash does. Killing it again does nothing.
func (s *Server) Kill() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Kill() // by its process, which may have ended by itself
	_ = s.cmd.Wait()         // says that it was killed
}

// Stop ends the server in order.
func (s *Server) Stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	kill := time.AfterFunc(stopTimeout, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	_ = s.cmd.Wait()
}

// Restart ends the server, if it runs, and starts an empty one at the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		t.Fatalf("starting redis-server again at %s: %v", s.Addr, err)
	}
}

// Suspend stops the server where it is (SIGSTOP): it takes connections and answers nothing, until Resume.
func (s *Server) Suspend(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume lets a suspended server go on (SIGCONT).
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("sending redis-server %v: %v", sig, err)
	}
}

// Save writes all that the server has to a file, as it is now, for RestartFrom.
func (s *Server) Save(t testing.TB) (file string) {
	t.Helper()
	s.Do(t, "SAVE")
	s.saved++
	file = filepath.Join(s.dir, fmt.Sprintf("saved-%d.rdb", s.saved))
	if err := os.Rename(filepath.Join(s.dir, "dump.rdb"), file); err != nil {
		t.Fatal(err)
	}
	return file
}

// RestartFrom ends the server, if it runs, and starts one at the same address with what a file from Save has.
func (s *Server) RestartFrom(t testing.TB, file string) {
	t.Helper()
	s.Kill()
	loaded := filepath.Join(s.dir, "dump.rdb")
	if err := os.Link(file, loaded); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	if err := os.Remove(loaded); err != nil { // the next restart is an empty one again
		t.Fatal(err)
	}
}
