package position_test

import (
	"encoding/json"
	"testing"

	"github.com/tidemark-io/tidemark/shared/position"
)

func TestCutAsJSON(t *testing.T) {
	cut := position.Cut{{Source: "events", ID: 0}: 65_536, {Source: "a/b", ID: 12}: 0}
	b, err := json.Marshal(cut)
	if want := `{"a/b/12":0,"events/0":65536}`; err != nil || string(b) != want {
		t.Fatalf("got %s, %v; want %s", b, err, want)
	}
	var back position.Cut
	if err := json.Unmarshal(b, &back); err != nil || len(back) != 2 || !back.Equal(cut) {
		t.Fatalf("got %v, %v; want %v", back, err, cut)
	}
}

func TestPartitionTextIsCanonical(t *testing.T) {
	for _, text := range []string{"", "events", "/1", "events/", "events/-1", "events/+1", "events/01", "events/1 ", "events/2147483648"} {
		var p position.Partition
		if err := p.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q read as %v", text, p)
		}
	}
}
