package view

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// codedPlan is a plan with three kinds of one string each, in columns 1, 2 and 3.
func codedPlan(t testing.TB) *Plan {
	t.Helper()
	src := schema.Source{Name: "x", EventTime: "at", Block: 8, Fields: []schema.Field{{Name: "at", Type: schema.Time}}}
	spec := Spec{Name: "v", Features: []FeatureSpec{{Name: "n", Op: "count"}}}
	for _, name := range []string{"a", "b", "c"} {
		src.Fields = append(src.Fields, schema.Field{Name: name, Type: schema.String})
		spec.Entity = append(spec.Entity, KeySpec{Kind: name, Fields: []string{name}})
	}
	spec.Sources = []schema.Source{src}
	p, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// codedBatch makes n rows, whose key columns have dictionaries in which a value may stand twice, or may be too long.
func codedBatch(r *rand.Rand, src *schema.Source, n int) *column.Batch {
	b := column.NewBatch(src, 0, false)
	b.N, b.Reject = n, make([]uint8, n)
	for i := range b.Reject {
		b.Reject[i] = uint8(max(0, r.IntN(12)-10))
	}
	for i := 1; i < len(b.Cols); i++ {
		c := &b.Cols[i]
		values := 1 + r.IntN(n+4)
		for range values {
			value := strconv.Itoa(r.IntN(2 * values))
			switch r.IntN(40) {
			case 0:
				value += ",\x7f"
			case 1:
				value += strings.Repeat("l", MaxKeyValueBytes*r.IntN(2))
			case 2, 3, 4, 5: // about as long as an inlineKey takes, and not told apart by how they begin
				value = strings.Repeat("i", maxInline-3-r.IntN(6)) + value
			}
			c.Bytes = append(c.Bytes, value...)
			c.Offsets = append(c.Offsets, int32(len(c.Bytes)))
		}
		c.N, c.Valid, c.Index = n, make([]byte, (n+7)/8), make([]int32, n)
		present := r.IntN(4)
		for row := range n {
			if r.IntN(3) < present && b.Reject[row] == 0 {
				c.Valid[row>>3] |= 1 << (row & 7)
				c.Index[row] = r.Int32N(int32(values))
			}
		}
	}
	return b
}

// TestKeyRows compares with building the key of each row by itself: that of the first kind that the row has. One keyed
// takes large and small batches by turns, several one behind the other, with and without unique keys.
func TestKeyRows(t *testing.T) {
	p := codedPlan(t)
	src := &p.spec.Sources[0]
	bound, err := p.bind(src)
	if err != nil {
		t.Fatal(err)
	}
	atBound = [2]int{}
	for _, unique := range []bool{false, true} {
		got, each := newReader(p, bound, src), newReader(p, bound, src)
		k := keyed{unique: unique}
		var want []string
		for seed := range uint64(600) {
			r := rand.New(rand.NewPCG(seed, 7))
			b := codedBatch(r, src, 1+r.IntN([]int{10, 130, 700}[r.IntN(3)]))
			from := r.IntN(b.N)
			to := from + r.IntN(b.N-from+1)
			if r.IntN(3) == 0 {
				k.forget()
				want = want[:0]
			}
			before := len(want)
			got.keyRows(&k, b, from, to)
			each.openKeys(b)
			for i := from; i < to; i++ {
				if key, ok := each.keyOf(b, i); ok {
					want = append(want, key)
					if at := len(want) - 1 - before; at >= len(k.row) || int(k.row[at]) != i {
						t.Fatalf("unique %t, seed %d: keyed rows are %v, want %d as number %d", unique, seed, k.row, i, at)
					}
				}
			}
			if rows := keyedRows(t, &k); len(k.row) != len(want)-before || fmt.Sprint(rows) != fmt.Sprint(want) || got.longKeys != each.longKeys {
				t.Fatalf("unique %t, seed %d: rows [%d,%d) have keys %q, want %q; %d long ones, want %d",
					unique, seed, from, to, rows, want, got.longKeys, each.longKeys)
			}
		}
	}
	if atBound[0] == 0 || atBound[1] == 0 {
		t.Errorf("keys as long as an inlineKey takes, and one byte longer: %v", atBound)
	}
}

// keyOf returns the key of an accepted row.
func (r *reader) keyOf(b *column.Batch, i int) (key string, ok bool) {
	for kind := range r.keys {
		if b.Reject[i] == 0 && r.has(kind, i) {
			return string(r.appendKey(nil, kind, i)), true
		}
	}
	return "", false
}

// atBound counts keys, by how much longer than inlineKey takes they are.
var atBound [2]int

// keyedRows returns the keys of the rows, after a look at what is said of keys: numbered as they are first seen, hashed
// and, if they are to be unique, so.
func keyedRows(t *testing.T, k *keyed) (rows []string) {
	t.Helper()
	seen, next := map[string]bool{}, int32(0)
	for i, number := range k.of {
		if number > next {
			t.Fatalf("row %d has key %d, and there were %d before", i, number, next)
		}
		next = max(next, number+1)
		rows = append(rows, string(k.key(int(number))))
	}
	for number, hash := range k.hash {
		key := string(k.key(number))
		if hash != Hash([]byte(key)) || k.unique && seen[key] {
			t.Fatalf("key %q has hash %x, seen before: %t", key, hash, seen[key])
		}
		seen[key] = true
		if len(key) == maxInline || len(key) == maxInline+1 {
			atBound[len(key)-maxInline]++
		}
	}
	if int(next) != len(k.hash) || len(k.slot) != len(k.hash) || len(k.keys) != len(k.hash) {
		t.Fatalf("%d keys, rows have %d, there is room for %d slots", len(k.hash), next, len(k.slot))
	}
	return rows
}

// BenchmarkKeyRows takes a row group as archives have them: two rows in five are without the first kind.
func BenchmarkKeyRows(b *testing.B) {
	p := codedPlan(b)
	src := &p.spec.Sources[0]
	bound, err := p.bind(src)
	if err != nil {
		b.Fatal(err)
	}
	const rows, values = 65_536, 8_192
	r := rand.New(rand.NewPCG(1, 2))
	batch := column.NewBatch(src, 0, false)
	batch.N, batch.Reject = rows, make([]uint8, rows)
	for i := 1; i < len(batch.Cols); i++ {
		c := &batch.Cols[i]
		for v := range values {
			c.Bytes = fmt.Appendf(c.Bytes, "u%08d", v)
			c.Offsets = append(c.Offsets, int32(len(c.Bytes)))
		}
		c.N, c.Valid, c.Index = rows, make([]byte, rows/8), make([]int32, rows)
		for row := range rows {
			if i > 1 || r.IntN(5) > 1 {
				c.Valid[row>>3] |= 1 << (row & 7)
				c.Index[row] = r.Int32N(values)
			}
		}
	}
	reader, k := newReader(p, bound, src), keyed{unique: true}
	b.ReportAllocs()
	for b.Loop() {
		k.forget()
		reader.keyRows(&k, batch, 0, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
