package reference_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

// wild makes records of any source, from small pools: entities meet, times tie, values lie on and beside every edge.
type wild struct {
	r     *rand.Rand
	times []int64 // of events, ms
}

// wildEnd is after all event times of a wild log but those of records without an append time.
const wildEnd = 1_700_000_000_000

func newWild(seed uint64) *wild {
	g := &wild{r: rand.New(rand.NewPCG(seed, 11))}
	// Times are near the ends of windows as of wildEnd, half of them on a hop or one ms beside it.
	for range 60 {
		back := []int64{window.Hour, window.Day, 7 * window.Day, 30 * window.Day, 60 * window.Day, 90 * window.Day, 180 * window.Day}[g.r.IntN(7)]
		at := wildEnd - back - g.r.Int64N(back/4) + back/8
		hop := []int64{1, 5 * window.Minute, 30 * window.Minute, window.Hour, 6 * window.Hour, window.Day}[g.r.IntN(6)]
		if g.chance(50) {
			at = at/hop*hop - g.r.Int64N(2)
		}
		g.times = append(g.times, at, wildEnd-g.r.Int64N(window.Hour))
	}
	return g
}

func (g *wild) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *wild) pick(of ...string) string { return of[g.r.IntN(len(of))] }

// broken are whole records that are no events, and why is theirs to tell.
var broken = []string{
	"", " ", "null", "[]", "5", `"{}"`, "{", "{}}", `{"a":01}`, `{"a":NaN}`, "\ufeff{}",
	`{"a":"\ud800"}`, `{"a":"` + "\xff" + `"}`, `{"a":"` + "\n" + `"}`,
	strings.Repeat("[", 129) + strings.Repeat("]", 129), `{"a":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + "}",
}

// document returns a record's value, nil for a tombstone.
func (g *wild) document(src *schema.Source) []byte {
	switch {
	case g.r.IntN(200) == 0:
		return nil
	case g.chance(3):
		return []byte(g.pick(broken...))
	}
	objects := map[string][]string{}
	for i := range src.Fields {
		f := &src.Fields[i]
		parent, name, dotted := strings.Cut(f.Name, ".")
		if !dotted {
			parent, name = "", f.Name
		}
		for range g.howOften(f.Required || f.Name == src.EventTime) {
			objects[parent] = append(objects[parent], g.member(name, g.value(f)))
		}
	}
	if g.chance(10) {
		objects[""] = append(objects[""], g.member("more", g.pick("{}", `{"a":{"a":[1,{}]},"a":2}`, "1e400", `"\ud83d\ude97"`)))
	}
	for _, parent := range slices.Sorted(maps.Keys(objects)) { // in order, so that a seed makes one log
		if parent != "" {
			objects[""] = append(objects[""], g.member(parent, g.object(objects[parent])))
		}
	}
	return []byte(g.object(objects[""]))
}

// howOften says how often a member stands in its object: mostly once.
func (g *wild) howOften(required bool) int {
	switch {
	case g.r.IntN(400) == 0:
		return 2
	case g.chance(12) && !required, g.r.IntN(400) == 0:
		return 0
	}
	return 1
}

func (g *wild) object(members []string) string {
	members = slices.Clone(members)
	g.r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, g.pick(",", ", ", " ,\n\t")) + "}"
}

func (g *wild) member(name, value string) string {
	if g.chance(2) {
		name = fmt.Sprintf(`\u%04x`, name[0]) + name[1:]
	}
	return `"` + name + `"` + g.pick(":", ": ") + value
}

// value returns a field's value as JSON: of its type, or null, or at fault.
func (g *wild) value(f *schema.Field) string {
	required := f.Required || f.Type == schema.Time
	switch {
	case g.r.IntN(400) == 0, g.chance(8) && !required:
		return "null"
	case g.r.IntN(400) == 0, g.chance(4) && !required:
		return g.pick("1.5", "true", `"x"`, `"5"`, "{}", "[1]", "1e2", "1.0", "-1", "0.00001",
			"2147483648", "253402300800000", "99999999999999999999")
	}
	switch f.Type {
	case schema.Bool:
		return g.pick("true", "false")
	case schema.Int32:
		return g.pick("0", "-0", "1", "2", "3", "12", "-1", "-5", "29999", "30000", "2147483647", "-2147483648")
	case schema.Int64:
		return g.pick("0", "1", "2", "3", "7", "-1", "2999999", "3000000", "9999999", "10000000", "50000000",
			"9223372036854775807", "-9223372036854775808")
	case schema.Decimal:
		return g.pick("0", "-0.00", "2.55", "2.550", "0.001", "12e-1", "-3.5E+1", "1e3", "4294967.296", "9223372036854775.807", "-11062.06")
	case schema.Time:
		return g.time()
	case schema.Enum:
		return strconv.Quote(f.Enum[min(g.r.IntN(len(f.Enum)), g.r.IntN(len(f.Enum)+4))])
	case schema.String:
		return g.pick(`"a"`, `"b"`, `"B"`, `"ab"`, `""`, `"C1"`, `"a,b%"`, `"a b"`, `"é"`,
			`"\u00e9"`, `"\u0000\u007f"`, `"🚗"`, `"\ud83d\ude97"`, `"\uffee"`, `"\/\"\\"`,
			`"`+strings.Repeat("k", view.MaxKeyValueBytes-1)+`,"`, `"`+strings.Repeat("é", view.MaxKeyValueBytes/2)+`k"`)
	case schema.JSON:
		return g.pick("{}", `{ "a" : [1 , 2.50], "b":"x y\u0041" }`, "1.50e+03", `{"a":1,"a":2}`, "false", `[ ]`)
	}
	return "null"
}

func (g *wild) time() string {
	if g.chance(3) {
		return g.pick("0", "1", "253402300799999", strconv.FormatInt(wildEnd+1, 10))
	}
	return strconv.FormatInt(g.times[g.r.IntN(len(g.times))], 10)
}

// appended returns an append time; without clocks, that of some records is unknown.
func (g *wild) appended(clocks bool) int64 {
	switch {
	case !clocks && g.chance(20):
		return -1
	case g.chance(15):
		return g.times[g.r.IntN(len(g.times))]
	}
	return wildEnd
}

// fill adds records to a world.
func (g *wild) fill(t *testing.T, w *world, records int, clocks bool) {
	t.Helper()
	var before []byte
	for range records {
		value := g.document(w.src)
		if g.chance(2) {
			value = bytes.Clone(before) // appended twice
		}
		before = value
		w.add(t, g.r.IntN(len(w.parts)), int64(g.r.IntN(12)/10), g.appended(clocks), value)
	}
}
