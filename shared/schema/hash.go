package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Hash returns the SHA-256, in lower-case hex, of Canonical. Two sources with one hash decode every record to the same
// rows; archive files carry it.
func (s *Source) Hash() string {
	sum := sha256.Sum256(s.Canonical())
	return hex.EncodeToString(sum[:])
}

// Canonical returns the text that Hash hashes: what decides how a record is decoded, and nothing else (no topic, block
// size or record key). It is, each line ended by \n:
//
//	tidemark source 1
//	name <name>
//	event_time <field>
//	tolerance_ms <n>
//	field <name> <type>[ required]        one line a field, in declared order
//
// where <type> is a type's name, "decimal(<scale>)", or "enum(<n>:<value>,<n>:<value>…)" with n the value's length in
// bytes, so that no value can pretend to be another text. The event-time field is required whether or not it says so.
func (s *Source) Canonical() []byte {
	b := append([]byte("tidemark source 1\nname "), s.Name...)
	b = append(b, "\nevent_time "...)
	b = append(b, s.EventTime...)
	b = append(b, "\ntolerance_ms "...)
	b = strconv.AppendInt(b, s.ToleranceMS, 10)
	b = append(b, '\n')
	for i := range s.Fields {
		f := &s.Fields[i]
		b = append(b, "field "...)
		b = append(b, f.Name...)
		b = append(b, ' ')
		b = f.appendType(b)
		if f.Required || f.Name == s.EventTime {
			b = append(b, " required"...)
		}
		b = append(b, '\n')
	}
	return b
}

func (f *Field) appendType(b []byte) []byte {
	b = append(b, f.Type.String()...)
	if f.Type == Decimal {
		b = append(b, '(')
		b = strconv.AppendInt(b, int64(f.Scale), 10)
		return append(b, ')')
	}
	if f.Type != Enum {
		return b
	}
	for i, value := range f.Enum {
		separator := byte(',')
		if i == 0 {
			separator = '('
		}
		b = append(b, separator)
		b = strconv.AppendInt(b, int64(len(value)), 10)
		b = append(b, ':')
		b = append(b, value...)
	}
	return append(b, ')')
}
