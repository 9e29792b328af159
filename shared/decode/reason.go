package decode

import "fmt"

// Version is the version of the decoder: it changes when any record could decode to another row. It is part of a view's
// revision.
const Version = 1

// Reason says why a record was rejected. The numbers are stored in archives: they never change, new ones are appended.
type Reason uint8

// The reasons, in the order in which they are looked for; the first that applies is given. Of several required fields
// the first in declared order decides.
const (
	Accepted          Reason = 0
	Tombstone         Reason = 1  // the record has no value
	TooLarge          Reason = 2  // the value has more than MaxRecordBytes
	NotUTF8           Reason = 3  // the value is not UTF-8
	TooDeep           Reason = 4  // objects and arrays nest deeper than MaxDepth
	NotJSON           Reason = 5  // the value is not one well-formed JSON text (an empty value, a byte order mark, …)
	NotObject         Reason = 6  // the JSON text is not an object
	RequiredDuplicate Reason = 7  // a member on the path of a required field occurs more than once in its object
	RequiredMissing   Reason = 8  // a required field is missing
	RequiredNull      Reason = 9  // a required field is null
	RequiredFault     Reason = 10 // a required field does not decode to its type
	EventTimeRange    Reason = 11 // the event time is an integer, but before 1970 or after schema.MaxTime
)

// The bounds of a record.
const (
	// MaxRecordBytes is the largest value that is read: 64 MiB.
	MaxRecordBytes = 64 << 20
	// MaxDepth is how deep objects and arrays may nest; the record's own object is the first level.
	MaxDepth = 128
)

var reasonNames = [...]string{
	Accepted: "accepted", Tombstone: "tombstone", TooLarge: "too large", NotUTF8: "not UTF-8", TooDeep: "too deep",
	NotJSON: "not JSON", NotObject: "not an object", RequiredDuplicate: "required field duplicate",
	RequiredMissing: "required field missing", RequiredNull: "required field null", RequiredFault: "required field at fault",
	EventTimeRange: "event time out of range",
}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Reasons returns every reason that a record can be rejected for, in the order in which they are looked for.
func Reasons() []Reason {
	reasons := make([]Reason, 0, len(reasonNames)-1)
	for r := Tombstone; int(r) < len(reasonNames); r++ {
		reasons = append(reasons, r)
	}
	return reasons
}
