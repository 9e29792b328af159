package archivefile

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Teller tells the records of rows again. It is not safe for concurrent use.
type Teller struct {
	src  *schema.Source
	root *told
}

// told is an object of the declaration: the record itself, or what a dotted name descends into.
type told struct {
	members []toldMember
}

// toldMember is a field, or an object with fields in it.
type toldMember struct {
	name  string // of the member
	field int    // index of the field if inner is nil
	inner *told
}

// NewTeller returns a Teller for rows of src.
func NewTeller(src *schema.Source) *Teller {
	t := &Teller{src: src, root: &told{}}
	for i := range src.Fields {
		t.root.add(strings.Split(src.Fields[i].Name, "."), i)
	}
	return t
}

func (o *told) add(parts []string, field int) {
	if len(parts) == 1 {
		o.members = append(o.members, toldMember{name: parts[0], field: field})
		return
	}
	at := slices.IndexFunc(o.members, func(m toldMember) bool { return m.name == parts[0] })
	if at < 0 {
		at = len(o.members)
		o.members = append(o.members, toldMember{name: parts[0], inner: &told{}})
	}
	o.members[at].inner.add(parts[1:], field)
}

// AppendJSON appends the record of row i of b, a batch with every column of its source. It is NewTeller and Append in
// one, for a row now and then.
func AppendJSON(dst []byte, b *column.Batch, i int) []byte {
	return NewTeller(b.Source).Append(dst, b, i)
}

// Append appends the record of row i of b: its bytes where they were kept (rejected records, and those with a field at
// fault; nothing for a tombstone), otherwise a JSON object that decodes to the same row: declared fields in declared
// order, nulls left out, then the undeclared members in their order. Whether a null was said or left unsaid is not kept.
// b must have every column of the source.
func (t *Teller) Append(dst []byte, b *column.Batch, i int) []byte {
	a := b.Archive
	if a.Raw.Present(i) {
		return append(dst, a.Raw.BytesAt(i)...)
	}
	if b.Reject[i] != 0 {
		return dst
	}
	var rest []byte
	if a.Rest.Present(i) {
		rest = a.Rest.BytesAt(i)
	}
	return t.object(dst, t.root, b, i, rest)
}

// object appends the declared members of o, then those of rest, an object without white space or nil. An object that o
// declares and rest has, too, is merged, and stands where rest has it: so rest is told in its own order.
func (t *Teller) object(dst []byte, o *told, b *column.Batch, row int, rest []byte) []byte {
	dst = append(dst, '{')
	open := len(dst)
	for k := range o.members {
		m := &o.members[k]
		if m.inner == nil {
			if c := &b.Cols[m.field]; c.Present(row) {
				dst = appendName(dst, open, m.name)
				dst = appendValue(dst, c, &t.src.Fields[m.field], row)
			}
		} else if !has(rest, m.name) {
			dst = t.inner(dst, open, m, b, row)
		}
	}
	for m, more := firstMember(rest); more; m, more = m.next(rest) {
		dst = appendComma(dst, open)
		if inner := o.inner(m.name(rest)); inner != nil {
			dst = append(dst, rest[m.start:m.value]...)
			dst = t.object(dst, inner, b, row, rest[m.value:m.end])
		} else {
			dst = append(dst, rest[m.start:m.end]...)
		}
	}
	return append(dst, '}')
}

// inner appends the object of m, in which nothing is undeclared, unless it is empty.
func (t *Teller) inner(dst []byte, open int, m *toldMember, b *column.Batch, row int) []byte {
	before := len(dst)
	dst = appendName(dst, open, m.name)
	start := len(dst)
	dst = t.object(dst, m.inner, b, row, nil)
	if len(dst) == start+len("{}") {
		return dst[:before]
	}
	return dst
}

// inner returns the object that o declares under the name that a literal spells, nil if it declares none.
func (o *told) inner(literal []byte) *told {
	for i := range o.members {
		if m := &o.members[i]; m.inner != nil && spells(literal, m.name) {
			return m.inner
		}
	}
	return nil
}

// has tells whether an object has a member of the name.
func has(object []byte, name string) bool {
	for m, more := firstMember(object); more; m, more = m.next(object) {
		if spells(m.name(object), name) {
			return true
		}
	}
	return false
}

func appendComma(dst []byte, open int) []byte {
	if len(dst) > open {
		return append(dst, ',')
	}
	return dst
}

func appendName(dst []byte, open int, name string) []byte {
	dst = append(appendComma(dst, open), '"')
	dst = append(dst, name...) // names of fields need no escapes
	return append(dst, '"', ':')
}

func appendValue(dst []byte, c *column.Column, f *schema.Field, row int) []byte {
	switch f.Type {
	case schema.Bool:
		return strconv.AppendBool(dst, c.Ints[row] != 0)
	case schema.Decimal:
		return appendDecimal(dst, c.Ints[row], f.Scale)
	case schema.Enum:
		return appendString(dst, []byte(f.Enum[c.Ints[row]]))
	case schema.String:
		return appendString(dst, c.BytesAt(row))
	case schema.JSON:
		return append(dst, c.BytesAt(row)...)
	default:
		return strconv.AppendInt(dst, c.Ints[row], 10)
	}
}

// appendDecimal appends v / 10^scale without exponent or superfluous zeros.
func appendDecimal(dst []byte, v int64, scale int) []byte {
	magnitude := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	var digits [schema.MaxScale + 20]byte
	text := strconv.AppendUint(digits[:0], magnitude, 10)
	for len(text) <= scale {
		text = slices.Insert(text, 0, '0')
	}
	point := len(text) - scale
	fraction := text[point:]
	for len(fraction) > 0 && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	dst = append(dst, text[:point]...)
	if len(fraction) > 0 {
		dst = append(append(dst, '.'), fraction...)
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendString appends UTF-8 as a JSON string, with the escapes that must be and in their shortest form: no record grows
// by being told again.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c >= ' ' && c != '"' && c != '\\':
			dst = append(dst, c)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return append(dst, '"')
}

// member is where a member stands in an object without white space: its name's literal from start on, its value from
// value to end.
type member struct{ start, value, end int }

// firstMember finds the first member of an object; more is false if it has none.
func firstMember(object []byte) (m member, more bool) {
	if len(object) <= len("{}") {
		return member{}, false
	}
	return memberAt(object, 1), true
}

// next finds the member after m.
func (m member) next(object []byte) (next member, more bool) {
	if object[m.end] != ',' {
		return member{}, false
	}
	return memberAt(object, m.end+1), true
}

func memberAt(object []byte, at int) member {
	colon := skipString(object, at)
	return member{start: at, value: colon + 1, end: skipCompact(object, colon+1)}
}

// name returns the literal of the member's name, with its quotes.
func (m member) name(object []byte) []byte { return object[m.start : m.value-1] }

// spells tells whether a literal, with its quotes, is the string name, which needs no escapes but may have some.
func spells(literal []byte, name string) bool {
	text := literal[1 : len(literal)-1]
	if len(text) == len(name) {
		return string(text) == name
	}
	if len(text) < len(name) || !slices.Contains(text, '\\') || !utf8.Valid(literal) {
		return false
	}
	var unescaped string
	return json.Unmarshal(literal, &unescaped) == nil && unescaped == name
}

// skipString returns what follows the string at i.
func skipString(s []byte, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipCompact returns what follows the value at i of well-formed JSON without white space.
func skipCompact(s []byte, i int) int {
	depth := 0
	for {
		switch s[i] {
		case '"':
			i = skipString(s, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		default:
			i++
		}
		if depth == 0 && (i == len(s) || s[i] == ',' || s[i] == '}' || s[i] == ']') {
			return i
		}
	}
}
