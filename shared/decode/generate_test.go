package decode_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// wide is a source with every type, at the top and inside of objects, mostly optional.
func wide() *schema.Source {
	s := &schema.Source{Name: "wide", EventTime: "t", ToleranceMS: 10, Fields: []schema.Field{
		{Name: "s", Type: schema.String},
		{Name: "t", Type: schema.Time},
		{Name: "a.i", Type: schema.Int32, Required: true},
		{Name: "b", Type: schema.Bool},
		{Name: "a.x.l", Type: schema.Int64},
		{Name: "a.x.s", Type: schema.String},
		{Name: "d", Type: schema.Decimal, Scale: 2},
		{Name: "e", Type: schema.Enum, Enum: []string{"view", "call", "é", ""}},
		{Name: "j", Type: schema.JSON},
		{Name: "u", Type: schema.Time},
		{Name: "o.j", Type: schema.JSON},
	}}
	s.SetDefaults()
	return s
}

// generator writes documents that are nearly what wide declares: each kind of slip comes often enough to meet others.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0x7469))} }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) space() string {
	if g.IntN(6) > 0 {
		return ""
	}
	return g.pick(" ", "\n", "\t ", " \r\n")
}

// document returns one record; one in eight is damaged in one byte or cut.
func (g generator) document() []byte {
	doc := []byte(g.space() + g.object(0) + g.space())
	switch g.IntN(16) {
	case 0:
		doc[g.IntN(len(doc))] = byte(g.IntN(256))
	case 1:
		doc = doc[:g.IntN(len(doc))]
	default:
	}
	return doc
}

// levels are the names that wide knows at each object level, and some it does not know.
var levels = [][]string{
	{"s", "t", "a", "b", "d", "e", "j", "u", "o", "unknown", "a.i", ""},
	{"i", "x", "j", "l", "s", "y", "z"},
	{"l", "s", "i", "w"},
}

// object writes most known members of a level in random order, some twice, so that documents are often accepted.
func (g generator) object(level int) string {
	names := levels[min(level, len(levels)-1)]
	var members []string
	for _, at := range g.Perm(len(names)) {
		times := 1
		switch g.IntN(24) {
		case 0, 1:
			times = 0
		case 2:
			times = 2
		default:
		}
		for range times {
			members = append(members, g.space()+g.name(names[at])+g.space()+":"+g.space()+g.value(names[at], level)+g.space())
		}
	}
	return "{" + g.space() + strings.Join(members, ",") + "}"
}

func (g generator) name(name string) string {
	if name != "" && g.IntN(20) == 0 {
		return fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:])
	}
	return `"` + name + `"`
}

// value writes what fits the name nine times in ten, anything otherwise.
func (g generator) value(name string, level int) string {
	if g.IntN(10) == 0 {
		return g.any(level)
	}
	switch name {
	case "s":
		return g.text()
	case "t", "u":
		return strconv.FormatInt(g.Int64N(1_000_000), 10)
	case "a", "x", "o":
		if level < 3 {
			return g.object(level + 1)
		}
		return g.any(level)
	case "i", "l":
		return g.number()
	case "b":
		return g.pick("true", "false")
	case "d":
		return fmt.Sprintf("%d.%02d", g.IntN(1000), g.IntN(100))
	case "e":
		return g.pick(`"view"`, `"call"`, `"é"`, `"\u00e9"`, `""`)
	default:
		return g.any(level)
	}
}

func (g generator) number() string {
	return g.pick("0", "-0", "7", "-12", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "253402300799999", "253402300800000", "1.0", "1e3", "12.345", "12.340", "0.1e-1", "1E+16", "1e17",
		"92233720368547758.07", "-92233720368547758.09", "0e999999999999999999999", "1e-999999999999999999999", "123456789012345678901234567890")
}

func (g generator) text() string {
	parts := []string{"a", "view", "é", "中", "😀", `\"`, `\\`, `\/`, `\n`, `\u0041`, `\u0000`, `\ud83d\ude00`, " ", "[", "}", strings.Repeat("x", 9)}
	var sb strings.Builder
	sb.WriteByte('"')
	for range g.IntN(5) {
		sb.WriteString(g.pick(parts...))
	}
	if g.IntN(200) == 0 {
		sb.WriteString(g.pick(`\ud83d`, `\ude00`, `\x`, "\n", "\xff"))
	}
	sb.WriteByte('"')
	return sb.String()
}

func (g generator) any(level int) string {
	switch g.IntN(6) {
	case 0:
		return "null"
	case 1:
		return g.pick("true", "false")
	case 2:
		return g.number()
	case 3:
		if level < 4 {
			return "[" + g.space() + g.any(level+1) + g.space() + "," + g.any(level+1) + "]"
		}
		return "[]"
	case 4:
		if level < 4 {
			return g.object(level + 1)
		}
		return "{" + g.space() + "}"
	default:
		return g.text()
	}
}
