package decode

import (
	"fmt"
	"strings"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Decoder decodes the records of one source. It is not safe for concurrent use: each worker compiles its own.
type Decoder struct {
	root      *node
	fields    []field
	demanded  []int // indices of the required fields
	tolerance int64 // ms
	event     int   // index of the event-time field, -1 in a decoder of one field (FromRest)

	// The fields that get rows, see Want: those of fixed width and those of bytes, ascending.
	ints, texts []int

	// What follows belongs to the record being read and is reused for the next.
	cells    []cell
	record   uint64 // number of the record, so that marks on members need no clearing
	rest     []byte // undeclared members as an object without its closing brace, if keepRest
	keepRest bool
	scratch  []byte // a name or an enum value, its escapes resolved
}

// field is one declared field as it is needed per value.
type field struct {
	typ       schema.Type
	scale     int
	low, high int64 // range of an integer
	enum      words
	literals  []literal // of an enum: its values in quotes
	guess     int       // the value that stood there last time: it decides nothing but speed
	required  bool
}

// node is an object in which fields are declared: the record itself, or what a dotted name descends into.
type node struct {
	names   words
	members []member // by index in names
	first   *member  // guess of the first member, see member.next
	fields  []int    // all fields declared in it, at any depth
}

// member is a declared name in an object.
type member struct {
	literal literal // the name in quotes and the colon, as they nearly always stand in a record
	skip    bool    // no field in it is wanted or required: all that counts is that the value is well-formed
	field   int     // index of the declared field, if inner is nil
	inner   *node   // the object that the name descends into
	// next is the declared member that followed last time. Producers write their members in one order, so a guess
	// saves the search. It decides nothing but speed.
	next *member
	seen uint64 // number of the record in which it stood last
}

// Compile returns a decoder for the records of src, which must be valid (an error of class schema.ErrInvalid).
func Compile(src *schema.Source) (*Decoder, error) {
	if err := src.Validate(); err != nil {
		return nil, fmt.Errorf("compiling decoder: %w", err)
	}
	d := compile(src.Fields)
	d.event, d.tolerance = src.EventTimeIndex(), src.ToleranceMS
	d.fields[d.event].required = true
	for i := range d.fields {
		if d.fields[i].required {
			d.demanded = append(d.demanded, i)
		}
	}
	return d, nil
}

func compile(fields []schema.Field) *Decoder {
	d := &Decoder{fields: make([]field, len(fields)), cells: make([]cell, len(fields)), event: -1}
	paths := make([]path, len(fields))
	for i := range fields {
		f := &fields[i]
		low, high := column.Range(f)
		d.fields[i] = field{typ: f.Type, scale: f.Scale, required: f.Required, low: low, high: high}
		if f.Type == schema.Enum {
			d.fields[i].enum = newWords(f.Enum)
			for _, value := range f.Enum {
				d.fields[i].literals = append(d.fields[i].literals, newQuoted(value))
			}
		}
		paths[i] = path{field: i, parts: strings.Split(f.Name, ".")}
	}
	d.root = newNode(paths)
	d.Want(nil)
	return d
}

// path is what is left of a field's name on the way down.
type path struct {
	field int
	parts []string
}

// newNode groups the paths by their first part; the order of first occurrence is the first guess of the members' order.
func newNode(paths []path) *node {
	var list []string
	below := map[string][]path{}
	n := &node{}
	for _, p := range paths {
		name := p.parts[0]
		if _, known := below[name]; !known {
			list = append(list, name)
		}
		below[name] = append(below[name], path{field: p.field, parts: p.parts[1:]})
		n.fields = append(n.fields, p.field)
	}
	n.names, n.members = newWords(list), make([]member, len(list))
	for i, name := range list {
		m := &n.members[i]
		m.literal = newLiteral(`"` + name + `":`)
		if ps := below[name]; len(ps[0].parts) == 0 {
			m.field = ps[0].field
		} else {
			m.inner = newNode(ps)
		}
		if i > 0 {
			n.members[i-1].next = m
		}
	}
	n.first = &n.members[0]
	return n
}
