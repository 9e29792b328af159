package kafkalog

import (
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// sampleFetchResponse is the body of a Fetch response with two partitions and tagged fields.
func sampleFetchResponse() []byte {
	b := appendInt32(nil, 0)
	b = appendInt16(b, 0)
	b = appendInt32(b, 0)
	b = appendLength(b, 1)
	b = append(b, make([]byte, 16)...)
	b = appendLength(b, 2)
	for p := range int32(2) {
		b = appendInt32(b, p)
		b = appendInt16(b, 0)
		b = appendInt64(b, 30)
		b = appendInt64(b, 20)
		b = appendInt64(b, 10)
		b = appendLength(b, 2)
		for _, a := range []aborted{{5, 19}, {6, 12}} {
			b = appendInt64(b, a.producer)
			b = appendInt64(b, a.first)
			b = appendNoTags(b)
		}
		b = appendInt32(b, -1)
		b = append(appendLength(b, 3), 1, 2, 3)
		b = append(b, 1, 1, 2, 0xaa, 0xbb) // one tagged field, number 1, two bytes
	}
	b = appendNoTags(b)
	return appendNoTags(b)
}

func TestFetchResponseIsParsed(t *testing.T) {
	whole := sampleFetchResponse()
	var f fetchResponse
	if !f.parse(wireReader{b: whole}) || len(f.answers) != 2 {
		t.Fatalf("parsed %d partitions", len(f.answers))
	}
	for i, a := range f.answers {
		if a.partition != int32(i) || a.highWatermark != 30 || a.lastStable != 20 || a.logStart != 10 ||
			!slices.Equal(a.batches, []byte{1, 2, 3}) || !slices.Equal(a.aborted, []aborted{{6, 12}, {5, 19}}) {
			t.Errorf("partition %d is %+v", i, a)
		}
	}
	for n := range whole {
		if f.parse(wireReader{b: whole[:n]}) {
			t.Errorf("%d of %d bytes are taken for a response", n, len(whole))
		}
	}
}

// TestEmptyAnswersAreParsed: the checks of array lengths admit elements of the least size, however many.
func TestEmptyAnswersAreParsed(t *testing.T) {
	const n = 100
	b := append(make([]byte, 10), 2)
	b = append(b, make([]byte, 16)...)
	b = appendLength(b, n)
	for range n {
		b = append(b, make([]byte, 4+2+3*8)...)
		b = append(b, 0, 0, 0, 0, 0, 0, 0) // no aborted transactions, no preferred replica, null records, no tags
	}
	b = append(b, 0, 0)
	var f fetchResponse
	if !f.parse(wireReader{b: b}) || len(f.answers) != n {
		t.Errorf("parsed %d of %d empty partitions", len(f.answers), n)
	}
}

// FuzzResponses: whatever a broker answers, parsing does not panic nor allocate what it claims.
func FuzzResponses(f *testing.F) {
	f.Add(sampleFetchResponse())
	f.Add(appendMetadataRequest(nil, "client", "topic"))
	fuzzing.Target(f, func(_ *testing.T, b []byte) {
		var r fetchResponse
		r.parse(wireReader{b: b})
		parseMetadataResponse(wireReader{b: b})
		parseProduceResponse(wireReader{b: b})
		fr := frame{response: b}
		fr.body()
	})
}
