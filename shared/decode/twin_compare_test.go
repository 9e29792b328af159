package decode_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// subject is the decoder under test for one source, with the decoders of the same source that know one field less.
type subject struct {
	src   *schema.Source
	d     *decode.Decoder
	b     *column.Batch
	lean  *column.Batch // without archive columns: the other path through the decoder
	later []later
	some  *decode.Decoder // wants other fields each time
	part  *column.Batch
	turn  uint
}

// later is a field that a source gets after records were archived without it.
type later struct {
	field  int
	before *decode.Decoder
	b      *column.Batch
	rest   *decode.RestDecoder
	c      column.Column
}

func newSubject(t testing.TB, src *schema.Source) *subject {
	t.Helper()
	s := newSubjectOnly(t, src)
	for i, f := range src.Fields {
		if f.Required || f.Name == src.EventTime {
			continue
		}
		before := *src
		before.Fields = slices.Delete(slices.Clone(src.Fields), i, i+1)
		rest, err := decode.FromRest(src, i)
		if err != nil {
			t.Fatal(err)
		}
		s.later = append(s.later, later{
			field: i, before: compile(t, &before), b: column.NewBatch(&before, 0, true), rest: rest, c: column.NewColumn(f.Type, f.Scale),
		})
	}
	return s
}

func compile(t testing.TB, src *schema.Source) *decode.Decoder {
	t.Helper()
	d, err := decode.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// check decodes one value in every way there is and compares with the twin.
func (s *subject) check(t testing.TB, value []byte) decode.Reason {
	t.Helper()
	rec := &record.Record{Offset: 7, Append: decode.NoAppendTime, Value: value}
	s.b.Reset(0)
	s.lean.Reset(0)
	s.d.Append(s.b, rec)
	s.d.Append(s.lean, rec)
	want := twin{src: s.src, keep: true}.read(value)
	got := decode.Reason(s.b.Reject[0])
	if got != want.reason {
		t.Fatalf("%q\nrejected for %q, the twin says %q", value, got, want.reason)
	}
	for i := range s.src.Fields {
		s.checkField(t, value, i, &want)
	}
	raw := value != nil && (got != decode.Accepted || slices.Contains(want.faults, true))
	checkArchive(t, value, "rest", &s.b.Archive.Rest, []byte(want.rest), want.rest != "")
	checkArchive(t, value, "raw", &s.b.Archive.Raw, value, raw)
	for i := range s.later {
		s.later[i].check(t, s, rec)
	}
	s.checkWanted(t, rec)
	return got
}

// checkWanted: what a decoder wants changes nothing but which columns get rows.
func (s *subject) checkWanted(t testing.TB, rec *record.Record) {
	t.Helper()
	s.turn = s.turn*5 + 1 // comes by every number of 64 bits
	want := []int{}
	for i := range s.src.Fields {
		if s.turn>>(16+i%32)&1 != 0 {
			want = append(want, i)
		}
	}
	s.some.Want(want)
	s.part.Reset(0)
	s.some.Append(s.part, rec)
	if s.part.N != 1 || s.part.Reject[0] != s.b.Reject[0] || s.part.Time[0] != s.b.Time[0] {
		t.Fatalf("%q\nwanting the fields %v alone: rejected for %q at %d, not for %q at %d", rec.Value, want,
			decode.Reason(s.part.Reject[0]), s.part.Time[0], decode.Reason(s.b.Reject[0]), s.b.Time[0])
	}
	for i := range s.src.Fields {
		c := &s.part.Cols[i]
		if !slices.Contains(want, i) {
			if c.N != 0 || s.part.Faults[i] != 0 {
				t.Fatalf("%q\n%s, which is not wanted, has %d rows and %d faults", rec.Value, s.src.Fields[i].Name, c.N, s.part.Faults[i])
			}
			continue
		}
		if c.N != 1 || rawValue(c) != rawValue(&s.b.Cols[i]) || s.part.Faults[i] != s.b.Faults[i] {
			t.Fatalf("%q\n%s is %v with %d faults when the fields %v are wanted", rec.Value, s.src.Fields[i].Name, rawValue(c), s.part.Faults[i], want)
		}
	}
}

func (s *subject) checkField(t testing.TB, value []byte, i int, want *outcome) {
	t.Helper()
	name := s.src.Fields[i].Name
	for _, b := range []*column.Batch{s.b, s.lean} {
		if got := rawValue(&b.Cols[i]); got != want.values[i] {
			t.Fatalf("%q\n%s is %v, the twin says %v", value, name, got, want.values[i])
		}
		if got := b.Faults[i] != 0; got != want.faults[i] {
			t.Fatalf("%q\n%s at fault: %t, the twin says %t", value, name, got, want.faults[i])
		}
	}
}

// check: a field declared later changes nothing of what was decided before, and is read from history as from the log.
func (l *later) check(t testing.TB, s *subject, rec *record.Record) {
	t.Helper()
	l.b.Reset(0)
	l.before.Append(l.b, rec)
	name := s.src.Fields[l.field].Name
	if l.b.Reject[0] != s.b.Reject[0] {
		t.Fatalf("%q\ndeclaring the optional field %s changes %q to %q", rec.Value, name, decode.Reason(l.b.Reject[0]), decode.Reason(s.b.Reject[0]))
	}
	if l.b.Reject[0] != 0 {
		return
	}
	doc := archived(&l.b.Archive.Raw)
	if doc == nil {
		doc = archived(&l.b.Archive.Rest)
	}
	l.c.Reset()
	fault, err := l.rest.Append(&l.c, doc)
	if err != nil || fault != (s.b.Faults[l.field] != 0) || rawValue(&l.c) != rawValue(&s.b.Cols[l.field]) {
		t.Fatalf("%q\n%s from history (%s) is %v, fault %t, %v; from the log it is %v, fault %t", rec.Value, name, doc,
			rawValue(&l.c), fault, err, rawValue(&s.b.Cols[l.field]), s.b.Faults[l.field] != 0)
	}
}

func archived(c *column.Column) []byte {
	if !c.Present(0) {
		return nil
	}
	return c.BytesAt(0)
}

func rawValue(c *column.Column) any {
	switch {
	case !c.Present(0):
		return nil
	case c.Type.IsBytes():
		return string(c.BytesAt(0))
	default:
		return c.Ints[0]
	}
}

func checkArchive(t testing.TB, value []byte, name string, c *column.Column, want []byte, present bool) {
	t.Helper()
	if c.Present(0) != present || present && !bytes.Equal(c.BytesAt(0), want) {
		t.Fatalf("%q\n%s is %q (present: %t), want %q (%t)", value, name, c.BytesAt(0), c.Present(0), want, present)
	}
}

func TestRandomDocumentsEqualTwin(t *testing.T) {
	s := newSubject(t, wide())
	reasons := map[decode.Reason]int{}
	for seed := range uint64(2_500) {
		reasons[s.check(t, newGenerator(seed).document())]++
	}
	// The generator must reach what it is there for.
	for _, r := range []decode.Reason{
		decode.Accepted, decode.NotUTF8, decode.NotJSON, decode.RequiredDuplicate, decode.RequiredMissing, decode.RequiredNull,
		decode.RequiredFault, decode.EventTimeRange,
	} {
		if reasons[r] < 5 {
			t.Errorf("%q came %d times in %v", r, reasons[r], reasons)
		}
	}
}

func TestDecisionsEqualTwin(t *testing.T) {
	for _, c := range readCases(t) {
		s := newSubject(t, c.Source)
		s.check(t, c.value())
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.value())
	}
	for seed := range uint64(64) {
		f.Add(newGenerator(seed).document())
	}
	s := newSubject(f, wide())
	fuzzing.Target(f, func(t *testing.T, value []byte) {
		if len(value) > 8_000 { // the twin's rationals are bounded by it
			return
		}
		s.check(t, value)
	})
}
