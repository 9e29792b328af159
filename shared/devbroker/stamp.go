package devbroker

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The keys of the requests that are looked into.
const (
	produceKey = int16(kmsg.Produce)
	fetchKey   = int16(kmsg.Fetch)
)

// What is rewritten in a record batch (version 2): where it lies, and the attribute bits.
const (
	crcAt          = 17
	attributesAt   = 21
	maxTimestampAt = 35
	batchHeader    = 61
	appendTimeBit  = 0x0008
	stampedBit     = 0x4000
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stampProduced is called for each Produce request before kfake handles it: it stamps the batches for topics with append
// time, and clears the bits that are not the producer's to set in all others. It runs on kfake's own loop, one at a time.
func (b *Broker) stampProduced(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
	r, ok := req.(*kmsg.ProduceRequest)
	if !ok {
		return nil, nil, false
	}
	now := time.Now().UnixMilli()
	for i := range r.Topics {
		t := &r.Topics[i]
		stamped := b.stamps(t.Topic, t.TopicID)
		for j := range t.Partitions {
			stampBatch(t.Partitions[j].Records, stamped, now)
		}
	}
	return nil, nil, false // kfake does the work
}

// stamps tells whether the topic, known by name or by id, wants append times.
func (b *Broker) stamps(name string, id [16]byte) bool {
	info := b.cluster.TopicInfo(name)
	if name == "" {
		info = b.cluster.TopicIDInfo(id)
	}
	if info == nil {
		return false
	}
	kind := info.Configs["message.timestamp.type"]
	return kind != nil && *kind == "LogAppendTime"
}

// stampBatch rewrites the header of the one batch that a producer sends. A batch with a wrong checksum is left as it is,
// for kfake to refuse.
func stampBatch(batch []byte, stamped bool, now int64) {
	if len(batch) < batchHeader || !crcFits(batch) {
		return
	}
	old := binary.BigEndian.Uint16(batch[attributesAt:])
	attributes := old &^ (appendTimeBit | stampedBit)
	if stamped {
		attributes |= stampedBit
		binary.BigEndian.PutUint64(batch[maxTimestampAt:], uint64(now))
	}
	if stamped || attributes != old {
		seal(batch, attributes)
	}
}

// showStamps rewrites the marked batches of a set into what Kafka shows: append time in the attributes.
func showStamps(set []byte) {
	for len(set) >= batchHeader {
		end := int64(int32(binary.BigEndian.Uint32(set[8:]))) + 12
		if end < batchHeader || end > int64(len(set)) {
			return
		}
		batch := set[:end]
		if a := binary.BigEndian.Uint16(batch[attributesAt:]); a&stampedBit != 0 {
			seal(batch, a&^stampedBit|appendTimeBit)
		}
		set = set[end:]
	}
}

// hasStamps tells whether any batch of a set is marked.
func hasStamps(set []byte) bool {
	for len(set) >= batchHeader {
		end := int64(int32(binary.BigEndian.Uint32(set[8:]))) + 12
		if end < batchHeader || end > int64(len(set)) {
			return false
		}
		if binary.BigEndian.Uint16(set[attributesAt:])&stampedBit != 0 {
			return true
		}
		set = set[end:]
	}
	return false
}

// seal sets a batch's attributes and checksum.
func seal(batch []byte, attributes uint16) {
	binary.BigEndian.PutUint16(batch[attributesAt:], attributes)
	binary.BigEndian.PutUint32(batch[crcAt:], crc32.Checksum(batch[attributesAt:], castagnoli))
}

func crcFits(batch []byte) bool {
	return binary.BigEndian.Uint32(batch[crcAt:]) == crc32.Checksum(batch[attributesAt:], castagnoli)
}
