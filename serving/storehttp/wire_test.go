package storehttp

import (
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestCallFixture freezes a call on the wire, with every field set; it belongs to the path /v1.
func TestCallFixture(t *testing.T) {
	c := lane.Call{
		Lane: lane.ID{Namespace: "n", N: 200}, Name: "batch", Expect: "x", AnyMark: true, Incarnation: "i", RowsOf: "r",
		Rows: []lane.RowChange{{Key: []byte("k"), Set: []lane.Field{{Name: "b1", Value: []byte("v")}}, Del: []string{"d1"}}},
		Set:  "y", Replace: map[string]string{"p/0": "m", "p/1": "n"}, Raise: []lane.Raise{{Name: "p/2", Cut: 300}}, Join: true, Once: true,
	}
	var e enc
	e.call(&c)
	const want = "016ec801" + "056261746368" + "0178" + "01" + "0169" + "0172" + // lane, name, expect, any, incarnations
		"01" + "016b" + "01" + "026231" + "0176" + "01" + "026431" + // rows
		"0179" + "01" + "02" + "03702f30" + "016d" + "03702f31" + "016e" + // set, replace
		"01" + "03702f32" + "ac02" + "01" + "01" // raise, join, once
	if got := hex.EncodeToString(e); got != want {
		t.Fatalf("the call is\n%s, want\n%s", got, want)
	}
	d := dec{b: e}
	if back := d.call(); d.end() != nil || !reflect.DeepEqual(back, c) {
		t.Fatalf("the call reads as %+v, %v", back, d.err)
	}
	for cut := range len(e) {
		d := dec{b: e[:cut]}
		if d.call(); d.end() == nil {
			t.Fatalf("a call cut to %d of %d bytes reads", cut, len(e))
		}
	}
}

// TestReplaceByNothing: deleting all marks and leaving them alone are two things on the wire.
func TestReplaceByNothing(t *testing.T) {
	for _, replace := range []map[string]string{nil, {}} {
		var e enc
		e.call(&lane.Call{Replace: replace})
		d := dec{b: e}
		if got := d.call().Replace; (got == nil) != (replace == nil) || d.end() != nil {
			t.Errorf("%#v reads as %#v, %v", replace, got, d.err)
		}
	}
}
