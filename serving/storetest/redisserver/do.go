package redisserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// doTimeout bounds one command of Do.
const doTimeout = time.Minute

// Do gives the server one command and returns its reply: a string or a number; empty for none. It is the test's hand in the
// server, on a connection of its own, and does not speak TLS.
func (s *Server) Do(t testing.TB, args ...string) string {
	t.Helper()
	reply, err := s.do(t.Context(), args)
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return reply
}

func (s *Server) do(ctx context.Context, args []string) (string, error) {
	c, err := (&net.Dialer{Timeout: doTimeout}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }() // the reply is read, or has failed
	if err := c.SetDeadline(time.Now().Add(doTimeout)); err != nil {
		return "", err
	}
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c, request.String()); err != nil {
		return "", err
	}
	return reply(bufio.NewReader(c))
}

// reply reads one reply that is no array.
func reply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return rest, nil
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return "", err
		}
		b := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		return string(b[:n]), nil
	}
	return "", fmt.Errorf("the server says %q", line)
}
