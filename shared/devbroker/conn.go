package devbroker

import (
	"encoding/binary"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// stampingListener wraps the connections that it accepts.
type stampingListener struct{ net.Listener }

// Accept returns the next connection.
func (l stampingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newStampingConn(c), nil
}

// What a group's coordinator answers only when the other members have come too.
const (
	joinGroupKey = int16(kmsg.JoinGroup)
	syncGroupKey = int16(kmsg.SyncGroup)
)

// headBytes is how much of a request has to be seen: size, api key, version, correlation id.
const headBytes = 12

// stampingConn watches requests go by to know which answers are to Fetch, and shows the stamps in these. kfake reads
// requests as a stream, and writes each response with one call.
//
// It also keeps the end of a client from kfake for as long as the client's group makes it wait. A member that dies while
// it waits to join gets an answer that cannot be sent, and then kfake starts no session for it: it would own its
// partitions for ever. An answer that can be sent, though nobody reads it, starts the session that is to run out.
type stampingConn struct {
	net.Conn

	// The state of the reader: the bytes of the current request's head, and how many bytes follow it.
	head []byte
	skip int64

	mu      sync.Mutex
	fetches map[int32]int16 // versions of the Fetch requests not yet answered, by correlation id
	parked  map[int32]bool  // JoinGroup and SyncGroup requests not yet answered
	idle    chan struct{}   // closed when there is none of these; another one when there is

	closing sync.Once
	closed  chan struct{}

	out []byte // the writer's copy of a response: it must not change what it is given
}

func newStampingConn(inner net.Conn) *stampingConn {
	idle := make(chan struct{})
	close(idle)
	return &stampingConn{Conn: inner, fetches: map[int32]int16{}, parked: map[int32]bool{}, idle: idle, closed: make(chan struct{})}
}

// Read reads, and notes requests that matter. It tells of the client's end when no member of a group waits here.
func (c *stampingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.watch(p[:n])
	if err != nil {
		c.mu.Lock()
		idle := c.idle
		c.mu.Unlock()
		select {
		case <-idle:
		case <-c.closed:
		}
	}
	return n, err
}

// Close closes the connection, and ends a Read that waits.
func (c *stampingConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// watch follows the frames of the stream.
func (c *stampingConn) watch(p []byte) {
	for len(p) > 0 {
		if c.skip > 0 {
			n := min(c.skip, int64(len(p)))
			c.skip -= n
			p = p[n:]
			continue
		}
		n := min(headBytes-len(c.head), len(p))
		c.head = append(c.head, p[:n]...)
		p = p[n:]
		if len(c.head) == headBytes {
			c.note()
			c.skip = int64(binary.BigEndian.Uint32(c.head)) + 4 - headBytes
			c.head = c.head[:0]
		}
	}
}

// note remembers the request whose head was read, if its answer matters.
func (c *stampingConn) note() {
	key := int16(binary.BigEndian.Uint16(c.head[4:]))
	correlation := int32(binary.BigEndian.Uint32(c.head[8:]))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch key {
	case fetchKey:
		c.fetches[correlation] = int16(binary.BigEndian.Uint16(c.head[6:]))
	case joinGroupKey, syncGroupKey:
		if len(c.parked) == 0 {
			c.idle = make(chan struct{})
		}
		c.parked[correlation] = true
	}
}

// Write writes a response, with stamps shown if it is one to Fetch.
func (c *stampingConn) Write(p []byte) (int, error) {
	version, ok := c.answered(p)
	if !ok || !stampedResponse(p, version) {
		return c.Conn.Write(p)
	}
	c.out = append(c.out[:0], p...)
	eachSet(c.out, version, func(set []byte) bool { showStamps(set); return true })
	return c.Conn.Write(c.out)
}

// answered returns the version of the Fetch request that a response answers, if it does. A member whose answer this is
// waits no more.
func (c *stampingConn) answered(p []byte) (version int16, ok bool) {
	if len(p) < 8 {
		return 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	correlation := int32(binary.BigEndian.Uint32(p[4:]))
	version, ok = c.fetches[correlation]
	delete(c.fetches, correlation)
	if c.parked[correlation] {
		delete(c.parked, correlation)
		if len(c.parked) == 0 {
			close(c.idle)
		}
	}
	return version, ok
}

// stampedResponse tells whether a Fetch response holds a marked batch.
func stampedResponse(p []byte, version int16) bool {
	found := false
	eachSet(p, version, func(set []byte) bool {
		found = hasStamps(set)
		return !found
	})
	return found
}

// eachSet calls fn with each partition's batches in a Fetch response, which lie in p, until fn returns false.
func eachSet(p []byte, version int16, fn func(set []byte) bool) {
	res := kmsg.NewPtrFetchResponse()
	res.SetVersion(version)
	body := p[8:]
	if res.IsFlexible() {
		if len(body) == 0 {
			return
		}
		body = body[1:] // kfake writes no tagged fields into the header
	}
	if err := res.ReadFrom(body); err != nil {
		return // what kfake wrote it can read; if not, it is for the client to complain
	}
	for i := range res.Topics {
		for j := range res.Topics[i].Partitions {
			if !fn(res.Topics[i].Partitions[j].RecordBatches) {
				return
			}
		}
	}
}
