package tile_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/tile/tiletest"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

var headers = []struct {
	header tile.Header
	name   string
}{
	{tile.Header{Kind: tile.KindBlock}, "e0/0/0"},
	{tile.Header{Kind: tile.KindBlock, Source: 1, Partition: 12, Block: 131_072}, "e1/12/131072"},
	{tile.Header{Kind: tile.KindBlock, Source: 1 << 16, Partition: 1<<31 - 1, Block: position.MaxOffset}, "e65536/2147483647/9007199254740991"},
	{tile.Header{Kind: tile.KindDelta, Run: 200}, "d200"},
	{tile.Header{Kind: tile.KindBase, Run: 1}, "b1"},
	{tile.Header{Kind: tile.KindBase, Run: position.MaxOffset}, "b9007199254740991"},
}

func TestHeader(t *testing.T) {
	for _, c := range headers {
		enc := append(c.header.Append([]byte("x"))[1:], "body"...)
		got, body, err := tile.ParseHeader(enc)
		if err != nil || got != c.header || string(body) != "body" {
			t.Errorf("%+v reads back as %+v with body %q, error %v", c.header, got, body, err)
		}
		if c.header.Name() != c.name || string(c.header.AppendName([]byte("x"))) != "x"+c.name {
			t.Errorf("%+v is named %s, want %s", c.header, c.header.Name(), c.name)
		}
		for n := range len(enc) - len("body") {
			if _, _, err := tile.ParseHeader(enc[:n]); !errors.Is(err, tile.ErrDamaged) {
				t.Errorf("the first %d bytes of %x: error %v", n, enc, err)
			}
		}
	}
}

func TestHeaderRefuses(t *testing.T) {
	block := func(b ...byte) []byte { return append([]byte{tile.Codec, 'e'}, b...) }
	for name, c := range map[string]struct {
		enc   []byte
		class error
	}{
		"another codec":              {[]byte{2, 'b', 1}, tile.ErrCodec},
		"codec 0":                    {[]byte{0, 'b', 1}, tile.ErrCodec},
		"an unknown kind":            {[]byte{tile.Codec, 'x', 1}, tile.ErrDamaged},
		"a run in a long form":       {[]byte{tile.Codec, 'b', 0x81, 0}, tile.ErrDamaged},
		"an offset past the limit":   {block(0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10), tile.ErrDamaged},
		"a source past the limit":    {block(0x81, 0x80, 0x04, 0, 0), tile.ErrDamaged},
		"a partition past the limit": {block(0, 0x80, 0x80, 0x80, 0x80, 0x08, 0), tile.ErrDamaged},
	} {
		if _, _, err := tile.ParseHeader(c.enc); !errors.Is(err, c.class) {
			t.Errorf("%s: error %v, want one of %v", name, err, c.class)
		}
	}
	if got := (tile.Header{Kind: 7}).Name(); got != "?7" {
		t.Errorf("a kind that there is not is named %s", got)
	}
}

func randomBody(rng *rand.Rand) tile.Body {
	b := tile.Body{Newest: rng.Int64N(1 << rng.IntN(60)), Events: 1 + rng.Int64N(1<<rng.IntN(60))}
	for source := range 1 + rng.IntN(3) {
		partition := int32(0)
		for range 1 + rng.IntN(3) {
			partition += 1 + rng.Int32N(300)
			b.Pos = append(b.Pos, tile.Pos{Source: source, Partition: partition, Last: rng.Int64N(position.MaxOffset)})
		}
	}
	for range rng.IntN(6) {
		state := make([]byte, rng.IntN(200)*rng.IntN(2))
		for i := range state {
			state[i] = byte(rng.Uint32())
		}
		b.States = append(b.States, state)
	}
	return b
}

func TestBodyReadsBack(t *testing.T) {
	var got tile.Body // one for all, so that what an earlier body left is found
	for seed := range uint64(300) {
		want := randomBody(rand.New(rand.NewPCG(seed, 6)))
		enc := want.Append([]byte("x"))[1:]
		if err := got.ParseBody(enc); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		same := got.Newest == want.Newest && got.Events == want.Events && slices.Equal(got.Pos, want.Pos) &&
			slices.EqualFunc(got.States, want.States, bytes.Equal)
		if !same {
			t.Fatalf("seed %d: %+v reads back as %+v", seed, want, got)
		}
		for _, p := range want.Pos {
			if got.Last(p.Source, p.Partition) != p.Last || got.Last(p.Source, p.Partition+1000) != -1 || got.Last(9, p.Partition) != -1 {
				t.Fatalf("seed %d: last of %+v is %d", seed, p, got.Last(p.Source, p.Partition))
			}
		}
		for n := range enc {
			if err := got.ParseBody(enc[:n]); !errors.Is(err, tile.ErrDamaged) {
				t.Fatalf("seed %d: the first %d of %d bytes: error %v", seed, n, len(enc), err)
			}
		}
		if err := got.ParseBody(append(enc, 0)); !errors.Is(err, tile.ErrDamaged) {
			t.Fatalf("seed %d: a byte more: error %v", seed, err)
		}
	}
}

func TestBodyRefuses(t *testing.T) {
	good := tile.Body{Newest: 5, Events: 2, Pos: []tile.Pos{{Source: 0, Partition: 1, Last: 7}, {Source: 1, Partition: 0, Last: 0}}, States: [][]byte{nil, {1}}}
	for name, spoil := range map[string]func(b *tile.Body){
		"no events":              func(b *tile.Body) { b.Events = 0 },
		"no positions":           func(b *tile.Body) { b.Pos = nil },
		"a position twice":       func(b *tile.Body) { b.Pos[1] = b.Pos[0] },
		"positions out of order": func(b *tile.Body) { slices.Reverse(b.Pos) },
		"an offset past 2^53":    func(b *tile.Body) { b.Pos[0].Last = position.MaxOffset + 1 },
		"a source past 2^16":     func(b *tile.Body) { b.Pos[1].Source = 1<<16 + 1 },
		"a newest past 2^62":     func(b *tile.Body) { b.Newest = 1 << 62 },
		"events past 2^62":       func(b *tile.Body) { b.Events = 1 << 62 },
		"too many states":        func(b *tile.Body) { b.States = make([][]byte, 1<<16+1) },
	} {
		b := good
		b.Pos, b.States = slices.Clone(good.Pos), slices.Clone(good.States)
		spoil(&b)
		var got tile.Body
		if err := got.ParseBody(b.Append(nil)); !errors.Is(err, tile.ErrDamaged) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	var got tile.Body
	if err := got.ParseBody(good.Append(nil)); err != nil {
		t.Errorf("the unspoilt body: %v", err)
	}
}

// goldenTiles are the frozen tiles, one of each kind.
var goldenTiles = map[string]struct {
	why    string
	header tile.Header
	body   tile.Body
}{
	"tile-block.txt": {
		"A block tile: source 1, partition 12, block 131072; one event, at its 5th offset; an empty state between two.",
		headers[1].header,
		tile.Body{
			Newest: 1_700_000_000_000, Events: 1, Pos: []tile.Pos{{Source: 1, Partition: 12, Last: 131_076}},
			States: [][]byte{{1, 2, 3}, nil, {0xff}},
		},
	},
	"tile-delta.txt": {
		"A delta of run 200: events in three partitions of two sources, no states at all.",
		headers[3].header,
		tile.Body{
			Newest: 0, Events: 300,
			Pos: []tile.Pos{{Source: 0, Partition: 0, Last: 0}, {Source: 0, Partition: 3, Last: 127}, {Source: 2, Partition: 1, Last: position.MaxOffset}},
		},
	},
	"tile-base.txt": {
		"A base of run 1 with a state of 130 bytes, whose length takes two bytes.",
		headers[4].header,
		tile.Body{
			Newest: 253_402_300_799_999, Events: 1 << 40, Pos: []tile.Pos{{Source: 0, Partition: 7, Last: 65_535}},
			States: [][]byte{bytes.Repeat([]byte{0xab}, 130)},
		},
	},
}

func TestGolden(t *testing.T) {
	for name, c := range goldenTiles {
		frozen := tiletest.Check(t, name, tiletest.Golden{
			Why: c.why, Format: "tile", Codec: tile.Codec, Bytes: c.body.Append(c.header.Append(nil)),
		})
		header, enc, err := tile.ParseHeader(frozen)
		var body tile.Body
		if err == nil {
			err = body.ParseBody(enc)
		}
		if err != nil || header != c.header || !slices.Equal(body.Pos, c.body.Pos) || body.Newest != c.body.Newest || body.Events != c.body.Events {
			t.Errorf("%s reads as %+v, %+v, error %v", name, header, body, err)
		}
	}
}

// FuzzTile wants every tile that is read to be the canonical form of what was read.
func FuzzTile(f *testing.F) {
	for _, c := range goldenTiles {
		f.Add(c.body.Append(c.header.Append(nil)))
	}
	fuzzing.Target(f, func(t *testing.T, in []byte) {
		h, enc, err := tile.ParseHeader(in)
		if err != nil {
			if !errors.Is(err, tile.ErrDamaged) && !errors.Is(err, tile.ErrCodec) {
				t.Fatalf("an error of no class: %v", err)
			}
			return
		}
		var b tile.Body
		if err := b.ParseBody(enc); err != nil {
			if !errors.Is(err, tile.ErrDamaged) {
				t.Fatalf("an error of no class: %v", err)
			}
			return
		}
		if again := b.Append(h.Append(nil)); !bytes.Equal(again, in) {
			t.Fatalf("%x was read, but is written as %x", in, again)
		}
	})
}

func BenchmarkParseBody(b *testing.B) {
	body := tile.Body{Newest: 1_700_000_000_000, Events: 12, Pos: []tile.Pos{{Partition: 3, Last: 131_076}}}
	for i := range 20 {
		body.States = append(body.States, bytes.Repeat([]byte{1}, i*3))
	}
	enc := body.Append(nil)
	var got tile.Body
	b.ReportAllocs()
	for b.Loop() {
		if err := got.ParseBody(enc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBody(b *testing.B) {
	body := tile.Body{Newest: 1_700_000_000_000, Events: 12, Pos: []tile.Pos{{Partition: 3, Last: 131_076}}}
	for i := range 20 {
		body.States = append(body.States, bytes.Repeat([]byte{1}, i*3))
	}
	var enc []byte
	b.ReportAllocs()
	for b.Loop() {
		enc = body.Append(enc[:0])
	}
}
