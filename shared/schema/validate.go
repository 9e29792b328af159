package schema

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tidemark-io/tidemark/shared/position"
)

// The bounds of a declaration, each tested at the limit and one past it.
const (
	MaxSourceNameBytes = 64    // length of Source.Name
	MaxFieldNameBytes  = 128   // length of Field.Name, dots included
	MaxTopicBytes      = 249   // length of Source.Topic: Kafka's own limit
	MaxEnumValues      = 4_096 // values of one Enum
	MaxEnumValueBytes  = 256   // length of one value of an Enum
)

// reserved are the columns that every batch and archive file has beside the declared fields.
var reserved = map[string]bool{
	"_offset": true, "_time": true, "_append": true, "_append_type": true, "_reject": true,
	"_key": true, "_headers": true, "_rest": true, "_raw": true,
}

// SetDefaults fills what a declaration may leave out: the topic and the block size.
func (s *Source) SetDefaults() {
	if s.Topic == "" {
		s.Topic = s.Name
	}
	if s.Block == 0 {
		s.Block = position.DefaultBlock
	}
}

// Validate returns all faults of the declaration at once, joined, each of class ErrInvalid and saying where it is and
// what would cure it; nil if there are none. A source without a topic is valid: its records come as archive files.
func (s *Source) Validate() error {
	v := validation{source: s.Name}
	v.checkSource(s)
	for i := range s.Fields {
		v.checkField(&s.Fields[i])
	}
	v.checkNames(s.Fields)
	v.checkReferences(s)
	return errors.Join(v.faults...)
}

// validation collects the faults of one source, so that a user mends a file once and not once per fault.
type validation struct {
	source string
	faults []error
}

func (v *validation) add(format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf("%w %q: %s", ErrInvalid, v.source, fmt.Sprintf(format, args...)))
}

func (v *validation) checkSource(s *Source) {
	if !validSourceName(s.Name) {
		v.add("name must be a lower-case letter followed by at most %d of [a-z0-9_]", MaxSourceNameBytes-1)
	}
	if s.Topic != "" && !validTopic(s.Topic) {
		v.add("topic %q: use 1 to %d of [A-Za-z0-9._-], neither \".\" nor \"..\"", s.Topic, MaxTopicBytes)
	}
	if !position.ValidBlock(s.Block) {
		v.add("block %d: use a power of two from 1 to %d, such as %d", s.Block, 1<<30, position.DefaultBlock)
	}
	if s.ToleranceMS < 0 || s.ToleranceMS > MaxTime {
		v.add("tolerance_ms %d: use 0 to %d", s.ToleranceMS, int64(MaxTime))
	}
	if n := len(s.Fields); n == 0 || n > MaxFields {
		v.add("%d fields: declare 1 to %d", n, MaxFields)
	}
}

func (v *validation) checkField(f *Field) {
	if !validFieldName(f.Name) {
		v.add("field %q: a name is parts of [A-Za-z0-9_] joined by single dots, at most %d bytes", f.Name, MaxFieldNameBytes)
	}
	if first, _, _ := strings.Cut(f.Name, "."); reserved[first] {
		v.add("field %q: %s is a column of tidemark's own; rename the member in what produces it", f.Name, first)
	}
	if f.Type < Bool || f.Type > JSON {
		v.add("field %q: unknown type %s", f.Name, f.Type)
	}
	if f.Type == Decimal && (f.Scale < 0 || f.Scale > MaxScale) {
		v.add("field %q: scale %d: use decimal(0) to decimal(%d)", f.Name, f.Scale, MaxScale)
	}
	if f.Type != Decimal && f.Scale != 0 {
		v.add("field %q: only a decimal has a scale; remove it or declare decimal(%d)", f.Name, f.Scale)
	}
	v.checkEnum(f)
}

func (v *validation) checkEnum(f *Field) {
	if f.Type != Enum {
		if len(f.Enum) != 0 {
			v.add("field %q: only an enum lists values; remove them or declare it as enum", f.Name)
		}
		return
	}
	if n := len(f.Enum); n == 0 || n > MaxEnumValues {
		v.add("field %q: %d enum values: list 1 to %d, or declare it as string", f.Name, n, MaxEnumValues)
	}
	seen := make(map[string]bool, len(f.Enum))
	for _, value := range f.Enum {
		if len(value) > MaxEnumValueBytes || !utf8.ValidString(value) {
			v.add("field %q: enum value %q: use at most %d bytes of UTF-8", f.Name, value, MaxEnumValueBytes)
		}
		if seen[value] {
			v.add("field %q: enum value %q stands twice; remove one", f.Name, value)
		}
		seen[value] = true
	}
}

// checkNames finds duplicates, and fields inside of fields: "link" would be a value and an object at once.
func (v *validation) checkNames(fields []Field) {
	declared := make(map[string]bool, len(fields))
	for i := range fields {
		if name := fields[i].Name; declared[name] {
			v.add("field %q is declared twice; remove one", name)
		}
		declared[fields[i].Name] = true
	}
	for i := range fields {
		name := fields[i].Name
		for end := strings.IndexByte(name, '.'); end >= 0; {
			if outer := name[:end]; declared[outer] {
				v.add("field %q lies inside of field %q; declare %q as json alone, or only its members", name, outer, outer)
			}
			next := strings.IndexByte(name[end+1:], '.')
			if next < 0 {
				break
			}
			end += 1 + next
		}
	}
}

func (v *validation) checkReferences(s *Source) {
	switch i := s.EventTimeIndex(); {
	case s.EventTime == "":
		v.add("event_time is missing; name the field of type time that holds the event's time")
	case i < 0:
		v.add("event_time %q is not a declared field; declare it with type time", s.EventTime)
	case s.Fields[i].Type != Time:
		v.add("event_time %q is a %s; declare it with type time", s.EventTime, s.Fields[i].Type)
	}
	if s.Key != "" && s.Index(s.Key) < 0 {
		v.add("key %q is not a declared field; declare it or leave key out", s.Key)
	}
}

func validSourceName(s string) bool {
	if s == "" || len(s) > MaxSourceNameBytes || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isWord(c) || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

func validTopic(s string) bool {
	if s == "." || s == ".." || len(s) > MaxTopicBytes {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isWord(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func validFieldName(s string) bool {
	if len(s) > MaxFieldNameBytes {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			if !isWord(part[i]) {
				return false
			}
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_'
}
