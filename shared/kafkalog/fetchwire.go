package kafkalog

import (
	"cmp"
	"slices"

	"github.com/segmentio/kafka-go/protocol"
)

// Want asks for the records of one partition from an offset on.
type Want struct {
	Partition int32
	Offset    int64
}

// fetchLimits are the bounds that a fetch request carries.
type fetchLimits struct {
	waitMillis     int32
	fetchBytes     int32
	partitionBytes int32
}

// appendFetchRequest appends a Fetch request (version 13) for partitions of one topic, outside any fetch session. first
// is the index in wants to begin with: the broker fills the response in order, and what comes late gets what is left.
func appendFetchRequest(b []byte, clientID string, id [16]byte, wants []Want, first int, l fetchLimits) []byte {
	b = beginRequest(b, int16(protocol.Fetch), fetchVersion, clientID)
	b = appendInt32(b, -1) // not a replica
	b = appendInt32(b, l.waitMillis)
	b = appendInt32(b, 1) // answer as soon as there is a byte
	b = appendInt32(b, l.fetchBytes)
	b = append(b, byte(readCommitted))
	b = appendInt32(b, 0)  // no session
	b = appendInt32(b, -1) // nor its epoch
	b = appendLength(b, 1)
	b = append(b, id[:]...)
	b = appendLength(b, len(wants))
	for i := range wants {
		w := wants[(first+i)%len(wants)]
		b = appendInt32(b, w.Partition)
		b = appendInt32(b, -1) // leader epoch, unchecked
		b = appendInt64(b, w.Offset)
		b = appendInt32(b, -1) // epoch of the last record fetched, unchecked
		b = appendInt64(b, -1) // log start, for replicas
		b = appendInt32(b, l.partitionBytes)
		b = appendNoTags(b)
	}
	b = appendNoTags(b)
	b = appendLength(b, 0)         // nothing forgotten, without a session
	b = appendCompactString(b, "") // rack: read from the leader
	b = appendNoTags(b)
	return endRequest(b)
}

// fetchAnswer is one partition of a Fetch response.
type fetchAnswer struct {
	partition     int32
	code          int16
	highWatermark int64
	lastStable    int64
	logStart      int64
	aborted       []aborted // by first offset
	batches       []byte
}

// fetchResponse is a parsed Fetch response. Its slices are reused; the batches lie in the frame.
type fetchResponse struct {
	code    int16
	answers []fetchAnswer
	aborted []aborted
}

// parse reads a Fetch response (version 13). It returns false if that is malformed.
func (f *fetchResponse) parse(r wireReader) bool {
	f.answers, f.aborted = f.answers[:0], f.aborted[:0]
	r.int32() // throttle time
	f.code = r.int16()
	r.int32()               // session
	for range r.array(18) { // the least that a topic takes, as 37 for a partition and 17 for a transaction
		r.id()
		for range r.array(37) {
			f.answers = append(f.answers, f.answer(&r))
		}
		r.tags()
	}
	r.tags()
	return !r.bad
}

// answer reads one partition.
func (f *fetchResponse) answer(r *wireReader) fetchAnswer {
	a := fetchAnswer{
		partition:     r.int32(),
		code:          r.int16(),
		highWatermark: r.int64(),
		lastStable:    r.int64(),
		logStart:      r.int64(),
	}
	begin := len(f.aborted)
	for range r.array(17) {
		f.aborted = append(f.aborted, aborted{producer: r.int64(), first: r.int64()})
		r.tags()
	}
	a.aborted = f.aborted[begin:len(f.aborted):len(f.aborted)]
	slices.SortFunc(a.aborted, func(x, y aborted) int { return cmp.Compare(x.first, y.first) })
	r.int32() // preferred replica
	a.batches = r.bytes()
	r.tags()
	return a
}
