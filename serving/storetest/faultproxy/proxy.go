// Package faultproxy is a TCP proxy that does to connections what networks and slow servers do: it closes them where it
// hurts (before a request arrived, after half of it, after the server has answered and before the client hears of it),
// delays answers, and lets requests arrive when nobody waits for them any more.
//
// It knows bytes, not protocols: a request or an answer is what arrives in one piece, at most chunkBytes.
package faultproxy

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// chunkBytes is the most that is passed on, or not, at a time.
const chunkBytes = 64 << 10

// Proxy passes connections on to a server. Its methods are safe for concurrent use.
type Proxy struct {
	Addr   string // host:port to connect to
	target string

	mu     sync.Mutex
	conns  map[net.Conn]bool
	cuts   int           // answers still to be cut
	delay  time.Duration // of every answer
	gate   chan struct{} // not nil: requests wait until it is closed
	held   int           // requests that came there
	late   int           // requests and answers that wait, here or there
	odds   *odds         // not nil: faults at random
	counts Counts
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
func (p *Proxy) CutReplies(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts = n
}

// Left returns how many of these cuts have not been made.
func (p *Proxy) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Delay makes each answer, from now on, come that much later; 0 ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Hold keeps requests from now on until release is called; then they arrive, also those whose client has left.
func (p *Proxy) Hold() (release func()) {
	gate := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate, p.held = gate, 0
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gate = nil
		close(gate)
	})
}

// Held returns how many requests have come since Hold.
func (p *Proxy) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.keep(client, server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.pump(ctx, client, server, p.requestFate)
		p.drop(client, server)
	}()
	p.pump(ctx, server, client, p.answerFate)
	p.drop(client, server)
	<-done
}

// pump passes on what comes from one side to the other, as fate has it, until one of them is closed.
func (p *Proxy) pump(ctx context.Context, from, to net.Conn, fate func() (Fate, time.Duration, chan struct{})) {
	buf := make([]byte, chunkBytes)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			f, late, gate := fate()
			arrives := wait(ctx, late, gate) && pass(f, buf[:n], from, to)
			p.passed(late, gate)
			if !arrives {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass does with a chunk what fate has for it; false ends the connection.
func pass(f Fate, chunk []byte, from, to net.Conn) bool {
	switch f {
	case LostRequest:
		if client, ok := from.(*net.TCPConn); ok {
			_ = client.SetLinger(0) // it is reset, not closed in order
		}
		return false
	case LostAnswer:
		return false
	case HalfRequest, HalfAnswer:
		_, _ = to.Write(chunk[:len(chunk)/2]) // the connection ends in any case
		return false
	case None, LateRequest, LateAnswer, Fates:
	}
	_, err := to.Write(chunk)
	return err == nil
}

// wait waits until late is over and the gate is open; false if the test ended before.
func wait(ctx context.Context, late time.Duration, gate chan struct{}) bool {
	if gate != nil {
		select {
		case <-ctx.Done():
			return false
		case <-gate:
		}
	}
	if late == 0 {
		return true
	}
	timer := time.NewTimer(late)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// passed notes that a request or answer waits no more.
func (p *Proxy) passed(late time.Duration, gate chan struct{}) {
	if late == 0 && gate == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late--
}

// Late returns how many requests and answers wait in the proxy.
func (p *Proxy) Late() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late
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
