package schema

import (
	"errors"
	"fmt"
	"slices"
)

// Type is the logical type of a field.
type Type uint8

// The types. Every type but String and JSON is held as one int64 a row.
const (
	Bool    Type = iota + 1 // 0 or 1
	Int32                   // a JSON integer in the range of int32
	Int64                   // a JSON integer in the range of int64
	Decimal                 // a JSON number with at most Scale digits after the point, held as value × 10^Scale
	Time                    // a JSON integer: milliseconds since 1970-01-01 UTC, 0 ≤ t ≤ MaxTime
	Enum                    // a JSON string out of Field.Enum, held as its index there
	String                  // a JSON string, held as UTF-8 bytes
	JSON                    // any JSON value, held as the bytes that stood in the record, white space between tokens removed
)

// MaxTime is the latest time a Time may hold: 9999-12-31T23:59:59.999Z.
const MaxTime = 253_402_300_799_999

// MaxScale is the largest number of digits after the point of a Decimal.
const MaxScale = 12

var typeNames = [...]string{Bool: "bool", Int32: "int32", Int64: "int64", Decimal: "decimal", Time: "time", Enum: "enum", String: "string", JSON: "json"}

// String returns the type's name as it stands in job files.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// ParseType reads the name that String writes.
func ParseType(s string) (Type, error) {
	if i := slices.Index(typeNames[:], s); s != "" && i > 0 {
		return Type(i), nil
	}
	return 0, fmt.Errorf("unknown type %q: want one of bool, int32, int64, decimal(n), time, enum(a, b, …), string, json", s)
}

// MarshalText writes the type's name, so that a declaration reads in JSON as it does in a job file.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the name that MarshalText writes.
func (t *Type) UnmarshalText(text []byte) (err error) {
	*t, err = ParseType(string(text))
	return err
}

// IsBytes tells whether values of the type are held as bytes; all others are held as int64.
func (t Type) IsBytes() bool { return t == String || t == JSON }

// Field is one declared field of a source.
type Field struct {
	// Name is the member's name. A dot descends into an object: "link.from_id". At most 128 bytes, of [A-Za-z0-9_.].
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Scale is the number of digits after the point of a Decimal, 0 to MaxScale; otherwise 0.
	Scale int `json:"scale,omitempty"`
	// Enum lists the values of an Enum in order, 1 to 4,096; values may be appended later, never reordered.
	Enum []string `json:"enum,omitempty"`
	// Required says that a record in which the field is missing, null or at fault is rejected as a whole.
	Required bool `json:"required,omitempty"`
}

// Source is a declared log of records: a topic, or archive files of its own.
type Source struct {
	// Name is the source's name, [a-z][a-z0-9_]*, at most 64 bytes. Ties between sources break by its bytes.
	Name string `json:"name"`
	// Topic is the Kafka topic; by default the name.
	Topic string `json:"topic"`
	// Fields in declared order.
	Fields []Field `json:"fields"`
	// EventTime names the Time field that holds the event's time; it is always required.
	EventTime string `json:"event_time"`
	// ToleranceMS is how far, in ms, an event's time may lie after its broker append time; what lies further is set
	// back to that bound. Default 0.
	ToleranceMS int64 `json:"tolerance_ms"`
	// Block is the number of offsets in a block, a power of two; default position.DefaultBlock.
	Block int64 `json:"block"`
	// Key names the field whose value becomes the record key when tidemark itself produces records; empty = no key.
	// No correctness depends on it: a partition is always taken from the record.
	Key string `json:"key,omitempty"`
}

// MaxFields bounds the declared fields of a source.
const MaxFields = 1024

// Index returns the index of the named field, -1 if it is not declared.
func (s *Source) Index(name string) int {
	return slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
}

// EventTimeIndex returns the index of the event-time field. The source must be valid.
func (s *Source) EventTimeIndex() int { return s.Index(s.EventTime) }

// ErrInvalid is the class of errors that Validate returns.
var ErrInvalid = errors.New("invalid source")
