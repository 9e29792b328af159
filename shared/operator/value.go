package operator

// ValueKind says what a Value is.
type ValueKind uint8

// The kinds of values.
const (
	Null   ValueKind = iota
	Int              // Hi, Lo: a signed 128-bit integer
	Dec              // Hi, Lo, Scale: that integer × 10^-Scale
	Float            // F
	Bool             // Lo is 0 or 1
	Str              // S
	Raw              // S is a JSON value
	Millis           // Lo: ms since 1970
	List             // Items
	Struct           // Items, with Names
)

// Value is what a feature answers. The zero Value is null. JSON form (AppendJSON): Int and Millis are numbers, Dec is
// a string in plain notation with exactly Scale digits after the point, Float the shortest number that reads back the
// same, List an array, Struct an object in the order of Names.
type Value struct {
	Kind  ValueKind
	Scale uint8
	Hi    int64
	Lo    uint64
	F     float64
	S     string
	Items []Value
	Names []string
}
