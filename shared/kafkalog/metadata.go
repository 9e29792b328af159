package kafkalog

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go/protocol"
)

// topicMeta is what Metadata says of one topic.
type topicMeta struct {
	code    int16
	name    string
	id      [16]byte
	leaders map[int32]int32 // by partition; -1 where there is none for now
}

// noLeader is what Metadata gives as the leader of a partition that has none.
const noLeader = int32(-1)

// metadata asks any node for one topic's id and leaders, of which there is at least one: a topic without partitions is none. It asks for itself, past Transport's cache: kafka-go stops at
// version 8, which knows no topic ids.
func (c *Client) metadata(ctx context.Context, topic string) (topicMeta, error) {
	f := &frame{
		node:    node(anyNode),
		api:     protocol.Metadata,
		request: appendMetadataRequest(nil, c.cfg.ClientID, topic),
		limit:   metadataFrameBytes,
	}
	if _, err := c.send(ctx, f, c.cfg.RequestTimeout); err != nil {
		return topicMeta{}, fmt.Errorf("asking for metadata of topic %s: %w", topic, err)
	}
	m, ok := parseMetadataResponse(f.body())
	if !ok || m.name != topic {
		return topicMeta{}, fmt.Errorf("asking for metadata of topic %s: %w: the response is malformed", topic, ErrRefused)
	}
	if err := codeError(m.code); err != nil {
		return topicMeta{}, fmt.Errorf("asking for metadata of topic %s: %w", topic, err)
	}
	if len(m.leaders) == 0 {
		return topicMeta{}, fmt.Errorf("asking for metadata of topic %s: %w: it has no partitions", topic, ErrNoTopic)
	}
	return m, nil
}

// appendMetadataRequest appends a Metadata request (version 10) for one topic, which is not to be created.
func appendMetadataRequest(b []byte, clientID, topic string) []byte {
	b = beginRequest(b, int16(protocol.Metadata), metadataVersion, clientID)
	b = appendLength(b, 1)
	b = append(b, make([]byte, 16)...) // no id: by name
	b = appendCompactString(b, topic)
	b = appendNoTags(b)
	b = append(b, 0, 0, 0) // don't create the topic, don't list authorised operations of cluster and topic
	b = appendNoTags(b)
	return endRequest(b)
}

// parseMetadataResponse reads the one topic of a Metadata response (version 10).
func parseMetadataResponse(r wireReader) (topicMeta, bool) {
	r.int32()              // throttle time
	for range r.array(9) { // the nodes, which Transport knows
		r.int32()
		r.bytes()
		r.int32()
		r.bytes()
		r.tags()
	}
	r.bytes() // cluster id
	r.int32() // controller
	if n := r.array(24); n != 1 {
		return topicMeta{}, false
	}
	m := topicMeta{code: r.int16(), name: r.string(), id: r.id()}
	r.bool() // is internal
	n := r.array(18)
	m.leaders = make(map[int32]int32, n)
	for range n {
		code, id, leader := r.int16(), r.int32(), r.int32()
		if code != 0 && movedCode(code) {
			leader = noLeader
		}
		m.leaders[id] = leader
		r.int32()      // leader epoch
		r.skipInt32s() // replicas
		r.skipInt32s() // in-sync replicas
		r.skipInt32s() // offline replicas
		r.tags()
	}
	return m, !r.bad
}
