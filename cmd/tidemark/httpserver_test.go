package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
)

// hanging are lookups that last until their context ends, and say when they begin and why they end. One begins at a time.
type hanging struct {
	began chan struct{}
	ended chan error
}

func newHanging() hanging { return hanging{make(chan struct{}, 1), make(chan error, 1)} }

// Lookup implements api.Lookups.
func (h hanging) Lookup(ctx context.Context, _ string, _ []string, _ lookup.Options) (*lookup.Answer, error) {
	h.began <- struct{}{}
	<-ctx.Done()
	h.ended <- context.Cause(ctx)
	return nil, context.Cause(ctx)
}

// serveAPI serves an API as roles do, with the times in which a client must have sent cut down.
func serveAPI(t *testing.T, lookups api.Lookups, timeout time.Duration) (address string) {
	t.Helper()
	mux := http.NewServeMux()
	a := api.New(api.Config{Job: "shop", Lookups: lookups, Now: time.Now, Ready: func(context.Context) error { return nil }})
	a.RegisterProbes(mux)
	a.RegisterLookups(mux)
	srv := newHTTPServer(mux)
	for _, d := range []*time.Duration{&srv.WriteTimeout, &srv.ReadHeaderTimeout, &srv.ReadTimeout, &srv.IdleTimeout} {
		if *d <= 0 || *d > 5*time.Minute {
			t.Errorf("a client may take %v", *d)
		}
		if d != &srv.WriteTimeout { // an answer to half a request should still get through
			*d = timeout
		}
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// slowClient is how long clients have in TestSlowClients: also one that is quick needs some of it on a busy machine.
const slowClient = 3 * time.Second

// TestSlowClients: clients that do not end their header, their body, or their silence are cut, and others are answered
// meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	address := serveAPI(t, newHanging(), slowClient)
	conns := map[string]net.Conn{}
	for name, sent := range map[string]string{
		"header": "GET /healthz HTTP/1.1\r\nHost: x\r\nX-",
		"body": "POST /v1/jobs/shop/views/user/profiles:batchGet HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" +
			`{"keys":[`,
		"idle": "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		conns[name] = c
	}
	if code := statusOf(t, t.Context(), "http://"+address+"/healthz"); code != http.StatusOK {
		t.Errorf("beside slow clients the answer is %d", code)
	}
	for name, c := range conns {
		if err := c.SetReadDeadline(time.Now().Add(cliWait)); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(c)
		if err != nil {
			t.Errorf("%s: the connection is not ended: %v", name, err)
		}
		if name == "body" && !strings.HasPrefix(string(said), "HTTP/1.1 400") {
			t.Errorf("half a body is answered with %.60q", said)
		}
	}
}

// TestHugeHeader: a request whose header has no end is refused.
func TestHugeHeader(t *testing.T) {
	t.Parallel()
	address := serveAPI(t, newHanging(), cliWait)
	url := fmt.Sprintf("http://%s/v1/jobs/shop/views/user/profiles/%s", address, strings.Repeat("x", 4*httpHeaderBytes))
	if code := statusOf(t, t.Context(), url); code != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", code)
	}
}

// TestCancelledRequest: the work for a client that has gone ends with it.
func TestCancelledRequest(t *testing.T) {
	t.Parallel()
	lookups := newHanging()
	address := serveAPI(t, lookups, cliWait)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		select {
		case <-lookups.began:
		case <-time.After(cliWait):
			t.Error("the request does not come to its lookup")
		}
		cancel()
	}()
	statusOf(t, ctx, "http://"+address+"/v1/jobs/shop/views/user/profiles/user:a")
	select {
	case err := <-lookups.ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the lookup ended by %v, not by its client's going", err)
		}
	case <-time.After(cliWait):
		t.Error("the lookup goes on for nobody")
	}
}

// statusOf gets a URL and returns the status, 0 if ctx ended before there was one.
func statusOf(t *testing.T, ctx context.Context, url string) int { //nolint:revive // t comes first in tests
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return 0
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}
