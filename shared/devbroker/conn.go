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
	return &stampingConn{Conn: c, fetches: map[int32]int16{}}, nil
}

// headBytes is how much of a request has to be seen: size, api key, version, correlation id.
const headBytes = 12

// stampingConn watches requests go by to know which answers are to Fetch, and shows the stamps in these. kfake reads
// requests as a stream, and writes each response with one call.
type stampingConn struct {
	net.Conn

	// The state of the reader: the bytes of the current request's head, and how many bytes follow it.
	head []byte
	skip int64

	mu      sync.Mutex
	fetches map[int32]int16 // versions of the Fetch requests not yet answered, by correlation id

	out []byte // the writer's copy of a response: it must not change what it is given
}

// Read reads, and notes Fetch requests.
func (c *stampingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.watch(p[:n])
	return n, err
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

// note remembers the request whose head was read, if it is a Fetch.
func (c *stampingConn) note() {
	if int16(binary.BigEndian.Uint16(c.head[4:])) != fetchKey {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetches[int32(binary.BigEndian.Uint32(c.head[8:]))] = int16(binary.BigEndian.Uint16(c.head[6:]))
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

// answered returns the version of the Fetch request that a response answers, if it does.
func (c *stampingConn) answered(p []byte) (version int16, ok bool) {
	if len(p) < 8 {
		return 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	correlation := int32(binary.BigEndian.Uint32(p[4:]))
	version, ok = c.fetches[correlation]
	delete(c.fetches, correlation)
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
