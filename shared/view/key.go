package view

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// ErrKey is the class of errors about a text that is no key of the view.
var ErrKey = errors.New("no key of this view")

// Hash returns the XXH64 of a canonical key. It decides the entity's lane and hash range, in every layer, forever.
func Hash(key []byte) uint64 { return xxhash.Sum64(key) }

// keyKind is one kind of entity key, compiled: how to write its canonical text `kind:value[,value…]`.
type keyKind struct {
	name   string
	prefix []byte // name and colon
	fields []keyField
}

// keyField is one member of a key's tuple. Its text: integers and times in decimal, a decimal(n) with exactly n digits
// after the point, a bool as true or false, enums and strings as they are, with the bytes that escaped names as %XX.
type keyField struct {
	name  string
	kind  schema.Type
	scale int
	enum  [][]byte // escaped values of an Enum
}

func newKeyKind(spec *KeySpec, src *schema.Source) keyKind {
	k := keyKind{name: spec.Kind, prefix: []byte(spec.Kind + ":")}
	for _, name := range spec.Fields {
		field := &src.Fields[src.Index(name)]
		kf := keyField{name: name, kind: field.Type, scale: field.Scale}
		for _, value := range field.Enum {
			kf.enum = append(kf.enum, appendEscaped(nil, []byte(value)))
		}
		k.fields = append(k.fields, kf)
	}
	return k
}

// escaped tells which bytes a key writes as %XX: the two that have a meaning in it, and those that no line of text, URL
// or key of a store bears: everything below 0x21, and 0x7f.
var escaped = func() (t [256]bool) {
	for c := range 0x21 {
		t[c] = true
	}
	t['%'], t[','], t[0x7f] = true, true, true
	return t
}()

const upperHex = "0123456789ABCDEF"

// appendEscaped appends a value, of which mostly nothing is to be escaped.
func appendEscaped(dst, value []byte) []byte {
	plain := 0
	for plain < len(value) && !escaped[value[plain]] {
		plain++
	}
	dst = append(dst, value[:plain]...)
	for _, c := range value[plain:] {
		if escaped[c] {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// has tells whether row i of a column that holds the field can be part of a key: it is not null, and not too long.
func (f *keyField) has(c *column.Column, i int) bool {
	return c.Present(i) && (f.kind != schema.String || len(c.BytesAt(i)) <= MaxKeyValueBytes)
}

// appendRow appends the text of row i of a column that holds the field.
func (f *keyField) appendRow(dst []byte, c *column.Column, i int) []byte {
	if f.kind == schema.String {
		return appendEscaped(dst, c.BytesAt(i))
	}
	return f.appendInt(dst, c.Ints[i])
}

func (f *keyField) appendInt(dst []byte, v int64) []byte {
	switch f.kind {
	case schema.Enum:
		return append(dst, f.enum[v]...)
	case schema.Bool:
		return strconv.AppendBool(dst, v != 0)
	case schema.Decimal:
		return appendDecimal(dst, v, f.scale)
	default:
		return strconv.AppendInt(dst, v, 10)
	}
}

// appendDecimal appends v × 10^-scale in plain notation with exactly scale digits after the point.
func appendDecimal(dst []byte, v int64, scale int) []byte {
	magnitude := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	var room [24]byte
	digits := strconv.AppendUint(room[:0], magnitude, 10)
	for range scale + 1 - len(digits) {
		digits = slices.Insert(digits, 0, '0')
	}
	point := len(digits) - scale
	dst = append(dst, digits[:point]...)
	if scale > 0 {
		dst = append(dst, '.')
		dst = append(dst, digits[point:]...)
	}
	return dst
}

// ParseKey returns the canonical key that a text names: kind, colon, and one value a field of the kind, separated by
// commas. Any byte may be written as %XX; numbers may have leading zeros; the canonical text differs from what was given
// in such things only. In a view of one kind, a text without a colon is the values alone. Errors are of class ErrKey and
// say what is expected.
func (p *Plan) ParseKey(text string) ([]byte, error) {
	name, rest, colon := strings.Cut(text, ":")
	if !colon && text != "" && len(p.keys) == 1 {
		name, rest, colon = p.keys[0].name, text, true
	}
	at := slices.IndexFunc(p.keys, func(k keyKind) bool { return k.name == name })
	if !colon || at < 0 {
		return nil, fmt.Errorf("%w: %q: want %s", ErrKey, text, p.keyForms())
	}
	kind := &p.keys[at]
	values := strings.Split(rest, ",")
	if len(values) != len(kind.fields) {
		return nil, fmt.Errorf("%w: %q has %d values: want %s", ErrKey, text, len(values), kind.form())
	}
	key := slices.Clone(kind.prefix)
	for i, value := range values {
		if i > 0 {
			key = append(key, ',')
		}
		var err error
		if key, err = kind.fields[i].appendText(key, value); err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrKey, text, err)
		}
	}
	return key, nil
}

func (k *keyKind) form() string {
	names := make([]string, len(k.fields))
	for i := range k.fields {
		names[i] = "<" + k.fields[i].name + ">"
	}
	return k.name + ":" + strings.Join(names, ",")
}

func (p *Plan) keyForms() string {
	forms := make([]string, len(p.keys))
	for i := range p.keys {
		forms[i] = p.keys[i].form()
	}
	return strings.Join(forms, " or ")
}

// appendText appends the canonical form of a value as a person wrote it.
func (f *keyField) appendText(dst []byte, text string) ([]byte, error) {
	value, err := unescape(text)
	if err != nil {
		return nil, err
	}
	if f.kind == schema.String {
		if len(value) > MaxKeyValueBytes {
			return nil, fmt.Errorf("%s: %d bytes, at most %d: a longer one is in no key", f.name, len(value), MaxKeyValueBytes)
		}
		return appendEscaped(dst, value), nil
	}
	v, err := f.parseInt(string(value))
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no %s", f.name, value, f.kind)
	}
	return f.appendInt(dst, v), nil
}

func (f *keyField) parseInt(text string) (int64, error) {
	switch f.kind {
	case schema.Enum:
		escapedText := appendEscaped(nil, []byte(text))
		i := slices.IndexFunc(f.enum, func(e []byte) bool { return string(e) == string(escapedText) })
		if i < 0 {
			return 0, ErrKey
		}
		return int64(i), nil
	case schema.Bool:
		if text == "true" {
			return 1, nil
		}
		if text == "false" {
			return 0, nil
		}
		return 0, ErrKey
	case schema.Decimal:
		return parseDecimal(text, f.scale)
	case schema.Int32:
		return strconv.ParseInt(text, 10, 32)
	case schema.Time:
		v, err := strconv.ParseUint(text, 10, 63)
		if v > schema.MaxTime {
			return 0, ErrKey
		}
		return int64(v), err
	default:
		return strconv.ParseInt(text, 10, 64)
	}
}

// parseDecimal reads plain notation with at most scale digits after the point.
func parseDecimal(text string, scale int) (int64, error) {
	whole, fraction, point := strings.Cut(text, ".")
	if whole == "" || whole == "-" || len(fraction) > scale || (point && fraction == "") {
		return 0, ErrKey
	}
	return strconv.ParseInt(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10, 64)
}

func unescape(text string) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			if i+3 > len(text) {
				return nil, fmt.Errorf("%q ends inside of an escape: write %% as %%25", text)
			}
			v, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return nil, fmt.Errorf("%q is no escape: write %% as %%25", text[i:i+3])
			}
			c, i = byte(v), i+2
		}
		out = append(out, c)
	}
	if !utf8.Valid(out) {
		return nil, fmt.Errorf("%q is no UTF-8", out)
	}
	return out, nil
}
