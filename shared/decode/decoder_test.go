package decode_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

func TestReasonsAreFrozen(t *testing.T) {
	// Archives hold these numbers.
	for i, want := range []string{
		"accepted", "tombstone", "too large", "not UTF-8", "too deep", "not JSON", "not an object", "required field duplicate",
		"required field missing", "required field null", "required field at fault", "event time out of range", "reason 12",
	} {
		if got := decode.Reason(i).String(); got != want {
			t.Errorf("reason %d is %q, was %q", i, got, want)
		}
	}
	if decode.Version != 1 {
		t.Errorf("version %d: a new version needs new decisions in docs/decoding.md", decode.Version)
	}
}

func TestAppendKeepsWhatTheBrokerSays(t *testing.T) {
	src := wide()
	d, b := compile(t, src), column.NewBatch(src, 4, true)
	headers := []record.Header{{Key: "trace", Value: []byte("x")}}
	d.Append(b, &record.Record{
		Offset: 12, Append: 99, AppendType: column.LogAppendTime, Key: []byte("k"), Headers: headers, Value: []byte(`{"t":5,"a":{"i":1}}`),
	})
	d.Append(b, &record.Record{Offset: 15, Append: 98, Key: []byte{}, Value: nil})
	if b.N != 2 || b.Offset[0] != 12 || b.Offset[1] != 15 || b.Append[0] != 99 || b.AppendType[0] != column.LogAppendTime || b.Partition != 4 {
		t.Fatalf("got %+v", b)
	}
	a := b.Archive
	if string(a.Key.BytesAt(0)) != "k" || !a.Key.Present(1) || len(a.Key.BytesAt(1)) != 0 {
		t.Fatal("an empty key is not a null key")
	}
	if got, err := decode.Headers(a.Headers.BytesAt(0)); err != nil || len(got) != 1 || a.Headers.Present(1) {
		t.Fatalf("headers %v, %v; of none: present %t", got, err, a.Headers.Present(1))
	}
	for _, c := range []*column.Column{&a.Key, &a.Headers, &a.Rest, &a.Raw, &b.Cols[0], &b.Cols[1]} {
		if c.N != 2 {
			t.Fatalf("a column of %d rows", c.N)
		}
	}
}

// A record must leave nothing behind for the next: cells, rest, escapes, marks of duplicates.
func TestRowsAreIndependentOfOrder(t *testing.T) {
	src := wide()
	long := column.NewBatch(src, 0, true)
	shared := compile(t, src)
	const n = 800
	for seed := range uint64(n) {
		shared.Append(long, &record.Record{Offset: int64(seed), Value: newGenerator(seed).document()})
	}
	one := column.NewBatch(src, 0, true)
	for seed := range uint64(n) {
		one.Reset(0)
		compile(t, src).Append(one, &record.Record{Offset: int64(seed), Value: newGenerator(seed).document()})
		if !sameRow(long, int(seed), one) {
			t.Fatalf("seed %d decodes otherwise after other records", seed)
		}
	}
}

func sameRow(long *column.Batch, row int, one *column.Batch) bool {
	if long.Reject[row] != one.Reject[0] || long.Time[row] != one.Time[0] {
		return false
	}
	same := func(a, b *column.Column) bool {
		if a.Present(row) != b.Present(0) {
			return false
		}
		if a.Type.IsBytes() {
			return bytes.Equal(a.BytesAt(row), b.BytesAt(0))
		}
		return a.Ints[row] == b.Ints[0]
	}
	for i := range long.Cols {
		if !same(&long.Cols[i], &one.Cols[i]) {
			return false
		}
	}
	return same(&long.Archive.Rest, &one.Archive.Rest) && same(&long.Archive.Raw, &one.Archive.Raw)
}

func TestRecordSizeAtTheLimit(t *testing.T) {
	src := wide()
	d, b := compile(t, src), column.NewBatch(src, 0, false)
	const frame = `{"t":5,"a":{"i":1},"x":""}`
	value := []byte(strings.Replace(frame, `""`, `"`+strings.Repeat("x", decode.MaxRecordBytes-len(frame))+`"`, 1))
	d.Append(b, &record.Record{Value: value})
	d.Append(b, &record.Record{Value: append(value, ' ')})
	if len(value) != decode.MaxRecordBytes || b.Reject[0] != 0 || decode.Reason(b.Reject[1]) != decode.TooLarge {
		t.Fatalf("%d bytes: %d, one more: %d", len(value), b.Reject[0], b.Reject[1])
	}
}

func TestWideSourceAtTheLimit(t *testing.T) {
	src := &schema.Source{Name: "s", EventTime: "f0", Fields: []schema.Field{{Name: "f0", Type: schema.Time}}}
	src.SetDefaults()
	var doc strings.Builder
	doc.WriteString(`{"f0":7`)
	for i := 1; i < schema.MaxFields; i++ {
		name := "deep" + strings.Repeat(".x", i%50) + ".f" + strings.Repeat("y", i/50)
		src.Fields = append(src.Fields, schema.Field{Name: name, Type: schema.Int64})
		// The same names, each as an object of its own: all of them but the first are duplicates of "deep".
		doc.WriteString(`,"` + strings.ReplaceAll(name, ".", `":{"`) + `":1` + strings.Repeat("}", strings.Count(name, ".")))
	}
	doc.WriteByte('}')
	newSubjectOnly(t, src).check(t, []byte(doc.String()))
}

// newSubjectOnly leaves out the decoders of history, of which a wide source would need a thousand.
func newSubjectOnly(t testing.TB, src *schema.Source) *subject {
	t.Helper()
	return &subject{
		src: src, d: compile(t, src), b: column.NewBatch(src, 0, true), lean: column.NewBatch(src, 0, false),
		some: compile(t, src), part: column.NewBatch(src, 0, false),
	}
}

func TestCompileRefusesAnInvalidSource(t *testing.T) {
	src := wide()
	src.EventTime = "nothing"
	if _, err := decode.Compile(src); !errors.Is(err, schema.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	if _, err := decode.FromRest(src, 0); !errors.Is(err, schema.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, field := range []int{-1, len(src.Fields)} {
		if _, err := decode.FromRest(wide(), field); !errors.Is(err, schema.ErrInvalid) {
			t.Fatalf("field %d: %v", field, err)
		}
	}
}

func TestAppendToAnotherSourcesBatchStops(t *testing.T) {
	d := compile(t, wide())
	defer func() {
		if _, ok := recover().(invariant.ViolationError); !ok {
			t.Fatal("no invariant stopped it")
		}
	}()
	d.Append(column.NewBatch(&schema.Source{}, 0, false), &record.Record{})
}

// What the archive keeps of a record depends on every field: a decoder that wants some only must not write it.
func TestArchivingSomeFieldsStops(t *testing.T) {
	src := wide()
	d := compile(t, src)
	d.Want([]int{0, 1})
	d.Append(column.NewBatch(src, 0, false), &record.Record{})
	defer func() {
		if _, ok := recover().(invariant.ViolationError); !ok {
			t.Fatal("no invariant stopped it")
		}
	}()
	d.Append(column.NewBatch(src, 0, true), &record.Record{})
}

func TestFromRestRefusesDamage(t *testing.T) {
	src := wide()
	rest, err := decode.FromRest(src, src.Index("s"))
	if err != nil {
		t.Fatal(err)
	}
	c := column.NewColumn(schema.String, 0)
	for _, doc := range []string{"", "{", "[]", "\xff", `{"s":"a"}x`} {
		if _, err := rest.Append(&c, []byte(doc)); !errors.Is(err, decode.ErrRest) || !strings.Contains(err.Error(), `"s"`) {
			t.Errorf("%q: %v", doc, err)
		}
	}
	if c.N != 0 {
		t.Fatalf("%d rows were appended for damaged bytes", c.N)
	}
	// A required field of a source is read like any other: the caller sees the null.
	required, err := decode.FromRest(src, src.Index("t"))
	times := column.NewColumn(schema.Time, 0)
	if err != nil {
		t.Fatal(err)
	}
	if fault, err := required.Append(&times, []byte(`{"t":-1}`)); !fault || err != nil || times.Present(0) {
		t.Fatalf("fault %t, %v", fault, err)
	}
}

// TestNoAllocations: in steady state, when the columns have grown, decoding allocates nothing, with and without archive.
func TestNoAllocations(t *testing.T) {
	var docs [][]byte
	for seed := range uint64(300) {
		docs = append(docs, newGenerator(seed).document())
	}
	src := wide()
	headers := []record.Header{{Key: "k", Value: []byte("v")}}
	for _, archive := range []bool{false, true} {
		d, b := compile(t, src), column.NewBatch(src, 0, archive)
		rec := &record.Record{Headers: headers, Key: []byte("key")}
		round := func() {
			b.Reset(0)
			for _, doc := range docs {
				rec.Value = doc
				d.Append(b, rec)
			}
		}
		if n := testing.AllocsPerRun(20, round); n != 0 {
			t.Errorf("archive %t: %v allocations in %d records", archive, n, len(docs))
		}
	}
}

// FuzzAppend feeds the decoder alone, which is a hundred times as fast as with its twin: whatever comes, there is one row
// more, the same as in a batch of its own, and a rejected one is empty.
func FuzzAppend(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.value())
	}
	src := wide()
	d, err := decode.Compile(src)
	if err != nil {
		f.Fatal(err)
	}
	alone, after := column.NewBatch(src, 0, true), column.NewBatch(src, 0, true)
	other := newGenerator(1).document()
	fuzzing.Target(f, func(t *testing.T, value []byte) {
		alone.Reset(0)
		after.Reset(0)
		d.Append(alone, &record.Record{Append: -1, Value: value})
		d.Append(after, &record.Record{Append: -1, Value: other})
		d.Append(after, &record.Record{Offset: 1, Append: -1, Value: value})
		if alone.N != 1 || after.N != 2 || alone.Reject[0] != after.Reject[1] || alone.Time[0] != after.Time[1] {
			t.Fatalf("%q: rejected %d, behind another %d", value, alone.Reject[0], after.Reject[1])
		}
		for i := range alone.Cols {
			a, b := &alone.Cols[i], &after.Cols[i]
			if a.Present(0) != b.Present(1) || a.Present(0) && alone.Reject[0] != 0 {
				t.Fatalf("%q: field %s", value, src.Fields[i].Name)
			}
		}
	})
}
