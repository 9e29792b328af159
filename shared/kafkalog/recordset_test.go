package kafkalog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go/protocol"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/record"
)

var allCodecs = []Codec{Plain, Gzip, Snappy, Lz4, Zstd}

// seeded returns a random source and logs its seed.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomEntries returns 1 to 20 random entries.
func randomEntries(rng *rand.Rand) []entry {
	blob := func() []byte {
		switch rng.IntN(5) {
		case 0:
			return nil
		case 1:
			return []byte{}
		default:
			b := bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(300))
			return strconv.AppendUint(b, rng.Uint64(), 10)
		}
	}
	es := make([]entry, 1+rng.IntN(20))
	for i := range es {
		es[i] = entry{time: 1_600_000_000_000 + rng.Int64N(1_000_000) - 500_000, key: blob(), value: blob()}
		for range rng.IntN(3) {
			es[i].headers = append(es[i].headers, record.Header{Key: fmt.Sprint("h", rng.IntN(4)), Value: blob()})
		}
	}
	return es
}

// batchSpec is what a test makes a batch of.
type batchSpec struct {
	base      int64
	entries   []entry
	codec     Codec
	producer  int64
	tx        bool
	append    int64   // append time, 0 for none
	keep      []int   // indexes of the entries that compaction left; nil for all
	lastDelta int     // 0: that of the last entry
	marker    *bool   // a control batch instead: commit or abort
	patch     []patch // bytes to overwrite before the checksum is set
}

type patch struct {
	at    int
	value []byte
}

// bytes returns the batch.
func (s batchSpec) bytes(t testing.TB) []byte {
	t.Helper()
	if s.marker != nil {
		kind := byte(0)
		if *s.marker {
			kind = 1
		}
		s.entries = []entry{{key: []byte{0, 0, 0, kind}, value: make([]byte, 6)}}
	}
	if s.keep == nil {
		s.keep = make([]int, len(s.entries))
		for i := range s.keep {
			s.keep[i] = i
		}
	}
	var plain, scratch []byte
	for _, i := range s.keep {
		scratch = appendRecord(scratch[:0], &s.entries[i], s.entries[i].time-s.entries[0].time, i)
		plain = append(binary.AppendVarint(plain, int64(len(scratch))), scratch...)
	}
	b, err := encodeBatch(s.entries[:1], Plain)
	if err != nil {
		t.Fatal(err)
	}
	if s.codec != Plain {
		if plain, err = pack(plain, s.codec); err != nil {
			t.Fatal(err)
		}
	}
	b = append(b[:batchHeaderBytes], plain...)
	binary.BigEndian.PutUint64(b, uint64(s.base))
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batchPrefixBytes))
	attributes := uint16(s.codec)
	if s.tx {
		attributes |= attrTransactional
	}
	if s.marker != nil {
		attributes |= attrControl
	}
	if s.append != 0 {
		attributes |= attrAppendTime
		binary.BigEndian.PutUint64(b[35:], uint64(s.append))
	}
	binary.BigEndian.PutUint16(b[21:], attributes)
	binary.BigEndian.PutUint32(b[23:], uint32(max(s.lastDelta, len(s.entries)-1)))
	binary.BigEndian.PutUint64(b[43:], uint64(s.producer))
	binary.BigEndian.PutUint32(b[57:], uint32(len(s.keep)))
	for _, p := range s.patch {
		copy(b[p.at:], p.value)
	}
	return reseal(b)
}

// reseal sets the checksum, so that what a test has changed looks intended.
func reseal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// want returns what reading the batch from an offset on should deliver.
func (s batchSpec) want(from int64) []record.Record {
	var out []record.Record
	for i, e := range s.entries {
		if s.keep != nil && !slices.Contains(s.keep, i) || s.base+int64(i) < from {
			continue
		}
		r := record.Record{Offset: s.base + int64(i), Append: e.time, Key: e.key, Value: e.value, Headers: e.headers}
		if s.append != 0 {
			r.Append, r.AppendType = s.append, column.LogAppendTime
		}
		out = append(out, r)
	}
	return out
}

func show(rs []record.Record) string {
	var sb strings.Builder
	for _, r := range rs {
		fmt.Fprintf(&sb, "%#v\n", r)
	}
	return sb.String()
}

// wantDecoded decodes a set and compares.
func wantDecoded(t *testing.T, d *decoder, set []byte, asked int64, txs []aborted, want []record.Record, wantNext int64) {
	t.Helper()
	d.begin(DefaultDecodedBytes)
	got, next, f := d.decode(set, asked, txs)
	if f.what != "" {
		t.Fatalf("decoding from %d: batch at %d: %s", asked, f.offset, f.text())
	}
	if show(got) != show(want) || next != wantNext {
		t.Fatalf("decoding from %d: next %d, want %d; got\n%swant\n%s", asked, next, wantNext, show(got), show(want))
	}
}

// TestBatchesRoundTrip reads random batches of every codec, from every offset, beside kafka-go's own reader.
func TestBatchesRoundTrip(t *testing.T) {
	rng := seeded(t)
	d := newDecoder(DefaultBatchBytes)
	for range 200 {
		var set []byte
		var specs []batchSpec
		offset := rng.Int64N(1000)
		first := offset
		for range 1 + rng.IntN(4) {
			s := batchSpec{base: offset, entries: randomEntries(rng), codec: allCodecs[rng.IntN(len(allCodecs))], producer: -1}
			if rng.IntN(2) == 0 {
				s.append = 1_700_000_000_000 + rng.Int64N(1000)
			}
			specs = append(specs, s)
			set = append(set, s.bytes(t)...)
			offset += int64(len(s.entries)) + rng.Int64N(3)
		}
		for _, from := range []int64{first, first + 1, offset - 1, first + rng.Int64N(offset-first)} {
			var want []record.Record
			next := from
			for _, s := range specs {
				want = append(want, s.want(from)...)
				next = max(next, s.base+int64(len(s.entries)))
			}
			wantDecoded(t, d, set, from, nil, want, next)
		}
		wantSameAsKafkaGo(t, d, specs[0].bytes(t))
	}
}

// wantSameAsKafkaGo compares keys, values and offsets of a set with what kafka-go reads. Times it gets wrong.
func wantSameAsKafkaGo(t *testing.T, d *decoder, set []byte) {
	t.Helper()
	var rs protocol.RecordSet
	sized := append(binary.BigEndian.AppendUint32(nil, uint32(len(set))), set...)
	if _, err := rs.ReadFrom(bytes.NewReader(sized)); err != nil {
		t.Fatal(err)
	}
	d.begin(DefaultDecodedBytes)
	got, _, _ := d.decode(set, 0, nil)
	for i := 0; ; i++ {
		r, err := rs.Records.ReadRecord()
		if err == io.EOF { //nolint:errorlint // kafka-go returns it bare
			if i != len(got) {
				t.Fatalf("%d records, kafka-go reads %d", len(got), i)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		key, err := protocol.ReadAll(r.Key)
		if err != nil {
			t.Fatal(err)
		}
		value, err := protocol.ReadAll(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(got) || got[i].Offset != r.Offset || !bytes.Equal(got[i].Key, key) || !bytes.Equal(got[i].Value, value) {
			t.Fatalf("record %d is %v, kafka-go reads offset %d, key %q, value %q", i, got[i], r.Offset, key, value)
		}
	}
}

// TestCompactedBatches: records and whole batches are gone, offsets are not.
func TestCompactedBatches(t *testing.T) {
	d := newDecoder(DefaultBatchBytes)
	es := make([]entry, 10)
	for i := range es {
		es[i] = entry{time: 1000, value: fmt.Append(nil, i)}
	}
	some := batchSpec{base: 100, entries: es, producer: -1, keep: []int{3, 7}}
	none := batchSpec{base: 110, entries: es, producer: -1, keep: []int{}}
	later := batchSpec{base: 500, entries: es[:2], producer: -1}
	set := slices.Concat(some.bytes(t), none.bytes(t), later.bytes(t))
	want := slices.Concat(some.want(0), later.want(0))
	wantDecoded(t, d, set, 50, nil, want, 502)
	wantDecoded(t, d, set, 105, nil, want[1:], 502)
	wantDecoded(t, d, none.bytes(t), 112, nil, nil, 120)
}

// TestAbortedTransactions compares the filter with brute force, on random interleaved transactions of few producers, as
// the broker would serve them: from a random offset, with the aborted ones that overlap.
func TestAbortedTransactions(t *testing.T) {
	rng := seeded(t)
	d := newDecoder(DefaultBatchBytes)
	for range 500 {
		w := randomLog(rng)
		from := rng.Int64N(w.end)
		var set []byte
		var want []record.Record
		for _, s := range w.batches {
			if s.base+int64(len(s.entries)) <= from && s.marker == nil || s.marker != nil && s.base < from {
				continue // the broker begins with the batch that holds the offset
			}
			set = append(set, s.bytes(t)...)
			if s.marker == nil && !w.abortedBatches[s.base] {
				want = append(want, s.want(from)...)
			}
		}
		var txs []aborted
		for _, a := range w.aborted {
			if a.last >= from {
				txs = append(txs, aborted{a.producer, a.first})
			}
		}
		slices.SortFunc(txs, func(a, b aborted) int { return int(a.first - b.first) })
		wantDecoded(t, d, set, from, txs, want, w.end)
	}
}

// world is a random log of transactions, all ended.
type world struct {
	batches        []batchSpec
	aborted        []span
	abortedBatches map[int64]bool // by base offset
	end            int64
}

type span struct{ producer, first, last int64 }

func randomLog(rng *rand.Rand) world {
	w := world{abortedBatches: map[int64]bool{}}
	open := map[int64][]int64{} // base offsets of the open transaction's batches, by producer
	end := func(p int64) {
		commit := rng.IntN(2) == 0
		w.batches = append(w.batches, batchSpec{base: w.end, producer: p, tx: true, marker: &commit})
		if !commit {
			w.aborted = append(w.aborted, span{p, open[p][0], w.end})
			for _, base := range open[p] {
				w.abortedBatches[base] = true
			}
		}
		delete(open, p)
		w.end++
	}
	for range 3 + rng.IntN(30) {
		p := rng.Int64N(4)
		if len(open[p]) > 0 && rng.IntN(3) == 0 {
			end(p)
			continue
		}
		s := batchSpec{base: w.end, producer: p, tx: true, codec: allCodecs[rng.IntN(len(allCodecs))], entries: randomEntries(rng)[:1]}
		if rng.IntN(4) == 0 && len(open[p]) == 0 {
			s.tx = false
		} else {
			open[p] = append(open[p], w.end)
		}
		w.batches = append(w.batches, s)
		w.end++
	}
	for p := range int64(4) {
		if len(open[p]) > 0 {
			end(p)
		}
	}
	return w
}

// TestFlippedBitsAreFound flips every bit that the checksum covers, and the fields before it.
func TestFlippedBitsAreFound(t *testing.T) {
	d := newDecoder(DefaultBatchBytes)
	es := []entry{{time: 1000, key: []byte("key"), value: []byte("value")}, {time: 1001, value: []byte("other")}}
	whole := batchSpec{base: 7, entries: es, producer: -1}.bytes(t)
	good := batchSpec{base: 5, entries: es, producer: -1}.bytes(t)
	for bit := range len(whole) * 8 {
		at := bit / 8
		if at < 8 || 12 <= at && at < 16 {
			continue // base offset and leader epoch, which the broker sets: no checksum covers them
		}
		bad := slices.Clone(whole)
		bad[at] ^= 1 << (bit % 8)
		d.begin(DefaultDecodedBytes)
		if recs, next, f := d.decode(bad, 7, nil); f.what == "" || len(recs) > 0 || next != 7 {
			t.Fatalf("bit %d flipped: %d records, next %d, fault %q", bit, len(recs), next, f.text())
		}
		// Behind a good batch the damage waits until it is the first.
		d.begin(DefaultDecodedBytes)
		if recs, next, f := d.decode(slices.Concat(good, bad), 5, nil); f.what != "" || len(recs) != 2 || next != 7 {
			t.Fatalf("bit %d flipped behind a good batch: %d records, next %d, fault %q", bit, len(recs), next, f.text())
		}
	}
}

// TestHostileBatchesAreRefused: a checksum says nothing of a sender's intentions.
func TestHostileBatchesAreRefused(t *testing.T) {
	es := []entry{{time: 1000, key: []byte("key"), value: []byte("value")}, {time: 1001, value: []byte("other")}}
	spec := func(codec Codec, ps ...patch) batchSpec {
		return batchSpec{base: 7, entries: es, producer: -1, codec: codec, patch: ps}
	}
	minus := []byte{0xff, 0xff, 0xff, 0xff}
	for name, c := range map[string]struct {
		spec batchSpec
		what string
	}{
		"negative count":          {spec(Plain, patch{57, minus}), "number of records"},
		"huge count":              {spec(Plain, patch{57, []byte{0x7f, 0xff, 0xff, 0xff}}), "number of records"},
		"count above deltas":      {spec(Plain, patch{57, []byte{0, 0, 0, 3}}), "number of records"},
		"count above bytes":       {batchSpec{base: 7, entries: es, producer: -1, lastDelta: 1 << 30, patch: []patch{{57, []byte{0x3f, 0, 0, 0}}}}, "number of records"},
		"count too small":         {spec(Plain, patch{57, []byte{0, 0, 0, 1}}), "behind its last record"},
		"negative last delta":     {spec(Plain, patch{23, minus}), "below its first"},
		"negative base":           {spec(Plain, patch{0, minus}), "out of bounds"},
		"base near the end":       {spec(Plain, patch{0, []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}), "out of bounds"},
		"old magic":               {spec(Plain, patch{16, []byte{1}}), "older format"},
		"codec 5":                 {spec(Plain, patch{22, []byte{5}}), "decompressed"},
		"not gzip":                {spec(Plain, patch{22, []byte{1}}), "decompressed"},
		"not snappy":              {spec(Plain, patch{22, []byte{2}}), "decompressed"},
		"not lz4":                 {spec(Plain, patch{22, []byte{3}}), "decompressed"},
		"not zstd":                {spec(Plain, patch{22, []byte{4}}), "decompressed"},
		"record length":           {spec(Plain, patch{61, []byte{0x7e}}), "longer than the batch"},
		"negative record length":  {spec(Plain, patch{61, []byte{0x01}}), "longer than the batch"},
		"offset below the base":   {spec(Plain, patch{64, []byte{0x01}}), "out of order"},
		"offset twice":            {spec(Plain, patch{64, []byte{0x02}}), "out of order"},
		"key longer than record":  {spec(Plain, patch{65, []byte{0x7e}}), "headers is out of bounds"},
		"negative key length":     {spec(Plain, patch{65, []byte{0x03}}), "out of bounds"},
		"header count":            {spec(Plain, patch{75, []byte{0x7e}}), "headers is out of bounds"},
		"negative header count":   {spec(Plain, patch{75, []byte{0x01}}), "headers is out of bounds"},
		"marker of no known form": {spec(Plain, patch{21, []byte{0, attrControl}}, patch{65, []byte{0x01}}), "marker is malformed"},
	} {
		d := newDecoder(DefaultBatchBytes)
		d.begin(DefaultDecodedBytes)
		recs, next, f := d.decode(c.spec.bytes(t), 7, nil)
		if !strings.Contains(f.text(), c.what) || len(recs) > 0 || next != 7 {
			t.Errorf("%s: %d records, next %d, fault %q, want one of %q", name, len(recs), next, f.text(), c.what)
		}
	}
}

// TestCutBatches: only the first batch must be whole.
func TestCutBatches(t *testing.T) {
	d := newDecoder(DefaultBatchBytes)
	one := batchSpec{base: 3, entries: []entry{{time: 1, value: []byte("one")}}, producer: -1}
	two := batchSpec{base: 4, entries: []entry{{time: 1, value: []byte("two")}}, producer: -1}
	first, second := one.bytes(t), two.bytes(t)
	for n := range second {
		wantDecoded(t, d, slices.Concat(first, second[:n]), 3, nil, one.want(0), 4)
	}
	for n := 1; n < len(first); n++ {
		d.begin(DefaultDecodedBytes)
		if _, next, f := d.decode(first[:n], 3, nil); next != 3 || f.what == "" {
			t.Errorf("%d bytes of a batch: next %d, no fault", n, next)
		}
	}
	wantDecoded(t, d, nil, 3, nil, nil, 3)
}

// TestBudgetAndLimit: a response is decompressed as far as the budget goes, a batch up to its limit and not a byte more.
func TestBudgetAndLimit(t *testing.T) {
	for _, codec := range allCodecs[1:] {
		s := batchSpec{entries: []entry{{time: 1, value: make([]byte, 100_000)}}, producer: -1, codec: codec}
		batch := s.bytes(t)
		d := newDecoder(DefaultBatchBytes)
		d.begin(DefaultDecodedBytes)
		d.decode(batch, 0, nil)
		size := DefaultDecodedBytes - d.budget
		if codec == Zstd {
			size = 1 << 20 // its limit counts memory, with the decoder's own
		}
		d = newDecoder(size)
		wantDecoded(t, d, batch, 0, nil, s.want(0), 1)
		d = newDecoder(min(size-1, 50_000))
		d.begin(DefaultDecodedBytes)
		if _, next, f := d.decode(batch, 0, nil); next != 0 || !strings.Contains(f.text(), "decompressed") {
			t.Errorf("codec %d, one byte past the limit: next %d, fault %q", codec, next, f.text())
		}

		var set []byte
		for i := range 5 {
			s.base = int64(i)
			set = append(set, s.bytes(t)...)
		}
		d = newDecoder(DefaultBatchBytes)
		d.begin(150_000)
		if recs, next, _ := d.decode(set, 0, nil); len(recs) != 2 || next != 2 {
			t.Errorf("codec %d, a budget for two batches: %d records, next %d", codec, len(recs), next)
		}
		d.begin(0)
		if recs, next, _ := d.decode(set, 2, nil); len(recs) != 1 || next != 3 {
			t.Errorf("codec %d, no budget: %d records, next %d; want one batch", codec, len(recs), next)
		}
	}
}

// TestXerialSnappy reads the framing of Java producers, in several blocks.
func TestXerialSnappy(t *testing.T) {
	es := []entry{{time: 5, value: bytes.Repeat([]byte("snappy "), 20_000)}}
	s := batchSpec{entries: es, producer: -1, codec: Snappy}
	b := s.bytes(t)
	if !bytes.HasPrefix(b[batchHeaderBytes:], xerial) {
		t.Fatal("kafka-go's snappy writer does not frame any more: this test needs another one")
	}
	wantDecoded(t, newDecoder(DefaultBatchBytes), b, 0, nil, s.want(0), 1)
}

// TestHeaderKeysAreBounded: a flood of different keys does not pile up.
func TestHeaderKeysAreBounded(t *testing.T) {
	d := newDecoder(DefaultBatchBytes)
	for i := range 3 * maxHeaderKeys {
		key := fmt.Append(nil, i)
		if got := d.key(key); got != string(key) {
			t.Fatalf("key %q became %q", key, got)
		}
		if len(d.keys) > maxHeaderKeys {
			t.Fatalf("%d keys are remembered, the limit is %d", len(d.keys), maxHeaderKeys)
		}
	}
}
