package kafkalog

import (
	"context"

	"github.com/segmentio/kafka-go/protocol"
)

const fetchAPI = protocol.Fetch

// flightState is where a flight is.
type flightState uint8

const (
	grounded flightState = iota // nothing is asked of the node; records of the last answer may still be in use
	boarding                    // its request is being put together
	flying                      // its request was sent
)

// flight is the exchange with one node: at most one request at a time, and the buffers that its answers live in. While it
// is flying, the frame and err belong to the goroutine that sends it, until landed is closed.
type flight struct {
	node     int32
	state    flightState
	wants    []Want // what the request asks for
	frame    *frame
	response fetchResponse
	decoder  *decoder
	cancel   context.CancelFunc
	landed   chan struct{}
	err      error
}

func (fl *flight) hasLanded() bool {
	select {
	case <-fl.landed:
		return true
	default:
		return false
	}
}
