package kafkalog

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// Nodes that are named by their role.
const (
	anyNode        = int32(-1)
	controllerNode = int32(-2)
)

// node routes a message to a node that we chose, instead of leaving it to Transport's own picture of topics and leaders:
// that one is refreshed on its own schedule, and cannot be told that it is wrong.
type node int32

// Broker picks the node from the cluster's layout.
func (n node) Broker(c protocol.Cluster) (protocol.Broker, error) {
	id := int32(n)
	if id == controllerNode {
		id = c.Controller
	}
	if id == anyNode {
		return protocol.Broker{ID: anyNode}, nil
	}
	b, ok := c.Brokers[id]
	if !ok {
		return b, fmt.Errorf("%w: node %d is not known (yet)", ErrUnreachable, id)
	}
	return b, nil
}

// call is one of kafka-go's own messages, sent to a chosen node. Being a RawExchanger it hides the message's type from
// Transport, which would answer Metadata from its cache and wait for created topics to appear in there.
type call struct {
	node
	inner    protocol.Message
	clientID string
	version  int16
}

// ApiKey is the inner message's.
func (c *call) ApiKey() protocol.ApiKey { return c.inner.ApiKey() } //nolint:revive // kafka-go's name

// Required notes the version that was negotiated for the connection.
func (c *call) Required(versions map[protocol.ApiKey]int16) bool {
	c.version = versions[c.inner.ApiKey()]
	return true
}

// RawExchange writes the inner message and reads its response.
func (c *call) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if p, ok := c.inner.(protocol.PreparedMessage); ok {
		p.Prepare(c.version)
	}
	m, err := protocol.RoundTrip(rw, c.version, correlation, c.clientID, c.inner)
	if err != nil {
		return nil, err
	}
	return &reply{m}, nil
}

// reply hides the response's type, for the same reason.
type reply struct{ protocol.Message }

// frame is a request that we encoded ourselves, and the buffer for its response.
type frame struct {
	node
	api     protocol.ApiKey
	request []byte // the whole frame, its size included
	limit   int    // bytes that a response may have

	// response is the answer's frame without its size. Its capacity is kept from one use to the next. After a failed or
	// abandoned exchange it must be dropped: the connection's goroutine may still be writing to it.
	response []byte
}

// ApiKey is the request's.
func (f *frame) ApiKey() protocol.ApiKey { return f.api } //nolint:revive // kafka-go's name

// Required makes Transport hand the connection to RawExchange.
func (f *frame) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange writes the request and reads one frame into the response buffer.
func (f *frame) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if _, err := rw.Write(f.request); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if uint64(n) > uint64(f.limit) {
		return nil, fmt.Errorf("%w: a response of %d bytes, the limit is %d", ErrTooLarge, n, f.limit)
	}
	if int(n) > cap(f.response) {
		f.response = make([]byte, n)
	}
	f.response = f.response[:n]
	if _, err := io.ReadFull(rw, f.response); err != nil {
		return nil, err
	}
	return f, nil
}

// body returns a reader that stands behind the response's header.
func (f *frame) body() wireReader {
	r := wireReader{b: f.response}
	if r.int32() != correlation {
		r.bad = true
	}
	r.tags()
	return r
}
