package tiletest

import (
	"bytes"
	"errors"
	"testing"
)

func TestGoldenReadsBack(t *testing.T) {
	for _, n := range []int{0, 1, bytesPerLine, bytesPerLine + 1, 3 * bytesPerLine} {
		g := Golden{Why: "Two lines\nof reasons.\n", Format: "thing", Codec: 3, Bytes: bytes.Repeat([]byte{0xa5}, n)}
		got, err := Parse(g.Append(nil), "thing", 3)
		if err != nil || got.Why != g.Why || !bytes.Equal(got.Bytes, g.Bytes) {
			t.Errorf("%d bytes read back as %+v, error %v", n, got, err)
		}
	}
}

func TestGoldenRefuses(t *testing.T) {
	for text, class := range map[string]error{
		"codec thing 4\n00":          ErrCodec,
		"codec other 3\n00":          ErrCodec,
		"# only a reason\n":          errGolden,
		"00 01\n":                    errGolden,
		"codec thing 3\n0":           errGolden,
		"codec thing 3\nxy":          errGolden,
		"codec thing\n":              errGolden,
		"codec thing 3\n00 # ok\nzz": errGolden,
	} {
		if _, err := Parse([]byte(text), "thing", 3); !errors.Is(err, class) {
			t.Errorf("%q: error %v, want one of %v", text, err, class)
		}
	}
	if g, err := Parse([]byte("codec thing 3\n00 01 # two bytes\n\n02\n"), "thing", 3); err != nil || !bytes.Equal(g.Bytes, []byte{0, 1, 2}) {
		t.Errorf("comments and spaces: %+v, %v", g, err)
	}
}
