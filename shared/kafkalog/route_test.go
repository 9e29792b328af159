package kafkalog

import (
	"encoding/binary"
	"errors"
	"testing"
)

// TestLeaderlessPartitionIsTransient: kafka-go has no code for it, only the text "topic partition not found".
func TestLeaderlessPartitionIsTransient(t *testing.T) {
	for _, leaders := range []map[int32]int32{{0: noLeader}, {}} {
		r := route{topic: "t", leaders: leaders}
		if _, err := r.leader(0); !Transient(err) || !r.stale {
			t.Errorf("leaders %v: error %v, stale %t", leaders, err, r.stale)
		}
	}
}

// TestProduceAsksForAllAcks: kafka-go's own zero value would ask for none.
func TestProduceAsksForAllAcks(t *testing.T) {
	b := appendProduceRequest(nil, "c", "t", 0, 1000, []byte("batch"))
	header := len(beginRequest(nil, 0, produceVersion, "c"))
	if acks := int16(binary.BigEndian.Uint16(b[header+1:])); acks != -1 {
		t.Errorf("acks are %d, want -1", acks)
	}
}

// TestErrorsHaveOneClass: each code is either waited out or not.
func TestErrorsHaveOneClass(t *testing.T) {
	for code, class := range map[int16]error{
		3:   ErrNoTopic,
		5:   ErrUnreachable, // leader not available
		6:   ErrUnreachable, // not leader
		7:   ErrUnreachable, // request timed out
		10:  ErrRefused,     // message too large
		19:  ErrUnreachable, // not enough replicas
		29:  ErrRefused,     // topic authorisation failed
		32:  ErrRefused,     // invalid timestamp
		74:  ErrUnreachable, // fenced leader epoch
		75:  ErrUnreachable, // unknown leader epoch
		999: ErrRefused,
		-1:  ErrRefused, // unknown
	} {
		err := codeError(code)
		for _, c := range []error{ErrNoTopic, ErrUnreachable, ErrRefused} {
			if errors.Is(err, c) != errors.Is(class, c) {
				t.Errorf("code %d: error %v, want class %v alone", code, err, class)
			}
		}
	}
	if err := codeError(0); err != nil {
		t.Errorf("code 0: %v", err)
	}
}
