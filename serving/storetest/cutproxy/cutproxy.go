// Package cutproxy is a TCP proxy that cuts connections where it hurts: after the server has answered and before the
// client hears of it.
//
// It knows bytes, not protocols.
package cutproxy

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy passes connections on to a server.
type Proxy struct {
	Addr   string // host:port to connect to
	target string
	cuts   atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Start runs a proxy for the server at target until the test ends.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, conns: map[net.Conn]bool{}}
	ctx := t.Context()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the listener was closed
			}
			wg.Go(func() { p.serve(ctx, c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.closeAll()
		wg.Wait()
	})
	return p
}

// CutReplies makes the proxy close the connection instead of passing on the server's next answer, n times. What was
// asked has been done by then.
func (p *Proxy) CutReplies(n int) { p.cuts.Store(int64(n)) }

// Left returns how many of these cuts have not been made.
func (p *Proxy) Left() int { return int(p.cuts.Load()) }

func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.keep(client, server)
	defer p.drop(client, server)
	go func() {
		_, _ = io.Copy(server, client) // ends when either is closed
		p.drop(client, server)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || p.cut() {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut takes one of the cuts, if one is left.
func (p *Proxy) cut() bool {
	for {
		n := p.cuts.Load()
		if n <= 0 {
			return false
		}
		if p.cuts.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

func (p *Proxy) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close() // again, perhaps
		delete(p.conns, c)
	}
}

func (p *Proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}
