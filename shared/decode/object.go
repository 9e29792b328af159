package decode

import "github.com/tidemark-io/tidemark/shared/schema"

// state is what a record says of one field. From fault on, something stood there that did not decode.
type state uint8

const (
	missing state = iota
	null
	present
	fault
	outOfRange // a fault: an integer beyond the range of its type
	duplicate  // a fault: a member on the field's path occurs more than once in its object
)

func (s state) isFault() bool { return s >= fault }

// cell is the staged value of one field. Values reach the columns only when the whole document has proved well-formed.
type cell struct {
	value int64 // of a fixed-width type
	// The bytes of a string (without quotes) or JSON value in the record; MaxRecordBytes fits.
	from, to int32
	state    state
	escaped  bool // the string holds escapes
}

// begin forgets the record before.
func (d *Decoder) begin() {
	clear(d.cells)
	d.record++
	d.rest = append(d.rest[:0], '{')
}

// object reads the object whose brace stands at i. Members that n declares are staged, the others go to rest.
func (d *Decoder) object(n *node, s []byte, i, depth int) int {
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == '}' {
		return i + 1
	}
	guess := &n.first
	for {
		var name span
		m := *guess
		if m != nil && m.literal.begins(s[i:]) {
			name = span{i, i + len(m.literal.text) - 1}
			i = skipSpace(s, name.to+1)
		} else {
			m, name.to = d.name(n, s, i)
			name.from = i
			i = skipColon(s, name.to)
		}
		if i == malformed || i >= len(s) {
			return malformed
		}
		if m == nil {
			i = d.undeclared(s, name, i, depth)
		} else {
			if *guess != m { // a store of a pointer is not free
				*guess = m
			}
			guess = &m.next
			if m.skip {
				i = skipValue(s, i, depth)
			} else {
				i = d.declared(m, s, name, i, depth)
			}
		}
		if i == malformed {
			return malformed
		}
		if i < len(s) && s[i] == ',' { // what afterElement does, for the ordinary case
			i = skipSpace(s, i+1)
			continue
		}
		var more bool
		if i, more = afterElement(s, i, '}'); !more {
			return i
		}
	}
}

// span is a stretch of the record.
type span struct{ from, to int }

// name reads a member's name at i and finds the declared member of that name, nil if there is none.
func (d *Decoder) name(n *node, s []byte, i int) (m *member, end int) {
	if i >= len(s) || s[i] != '"' {
		return nil, malformed
	}
	end, escaped := skipString(s, i)
	if end == malformed {
		return nil, malformed
	}
	name := s[i+1 : end-1]
	if escaped {
		d.scratch = appendUnescaped(d.scratch[:0], name)
		name = d.scratch
	}
	if at := n.names.find(name); at >= 0 {
		m = &n.members[at]
	}
	return m, end
}

// declared reads the value at i of a declared member, whose name's literal spans name.
func (d *Decoder) declared(m *member, s []byte, name span, i, depth int) int {
	again := m.seen == d.record
	m.seen = d.record
	if m.inner == nil {
		c := &d.cells[m.field]
		if again || c.state == duplicate {
			c.state = duplicate
			return skipValue(s, i, depth)
		}
		return d.value(&d.fields[m.field], c, s, i, depth)
	}
	if again {
		d.mark(m.inner, duplicate)
	}
	if s[i] == '{' {
		return d.inner(m.inner, s, name, i, depth)
	}
	if s[i] == 'n' {
		d.mark(m.inner, null)
	} else {
		d.mark(m.inner, fault)
	}
	return skipValue(s, i, depth)
}

// inner reads an object that a dotted name descends into; its undeclared members are kept inside of an object again.
func (d *Decoder) inner(n *node, s []byte, name span, i, depth int) int {
	if !d.keepRest {
		return d.object(n, s, i, depth+1)
	}
	before := len(d.rest)
	d.restName(s[name.from:name.to])
	d.rest = append(d.rest, '{')
	open := len(d.rest)
	end := d.object(n, s, i, depth+1)
	if len(d.rest) == open {
		d.rest = d.rest[:before]
	} else {
		d.rest = append(d.rest, '}')
	}
	return end
}

// undeclared reads the value at i of an undeclared member and keeps both.
func (d *Decoder) undeclared(s []byte, name span, i, depth int) int {
	end := skipValue(s, i, depth)
	if d.keepRest && end != malformed {
		d.restName(s[name.from:name.to])
		d.rest = appendCompact(d.rest, s[i:end])
	}
	return end
}

func (d *Decoder) restName(literal []byte) {
	// No value ends in an opening brace: the last byte tells whether a member stands before.
	if d.rest[len(d.rest)-1] != '{' {
		d.rest = append(d.rest, ',')
	}
	d.rest = append(d.rest, literal...)
	d.rest = append(d.rest, ':')
}

// mark gives all fields declared in n one state. Once duplicate, always duplicate.
func (d *Decoder) mark(n *node, st state) {
	for _, f := range n.fields {
		if d.cells[f].state != duplicate {
			d.cells[f].state = st
		}
	}
}

// value reads the value at i of a declared field. A well-formed value that does not fit is a fault, not malformed.
func (d *Decoder) value(f *field, c *cell, s []byte, i, depth int) int {
	first := s[i]
	if first == 'n' {
		c.state = null
		return skipLiteral(s, i, "null")
	}
	switch f.typ {
	case schema.Int32, schema.Int64, schema.Time:
		if startsNumber(first) {
			return c.integer(f, s, i)
		}
	case schema.Decimal:
		if startsNumber(first) {
			return c.decimal(f, s, i)
		}
	case schema.String:
		if first == '"' {
			return c.text(s, i)
		}
	case schema.Enum:
		if first == '"' {
			return d.enum(f, c, s, i)
		}
	case schema.Bool:
		if first == 't' || first == 'f' {
			return c.boolean(s, i)
		}
	case schema.JSON:
		end := skipValue(s, i, depth)
		c.state, c.from, c.to = present, int32(i), int32(end)
		return end
	}
	c.state = fault
	return skipValue(s, i, depth)
}

func (c *cell) boolean(s []byte, i int) int {
	c.state = present
	if s[i] == 't' {
		c.value = 1
		return skipLiteral(s, i, "true")
	}
	return skipLiteral(s, i, "false")
}

func (c *cell) text(s []byte, i int) int {
	end, escaped := skipString(s, i)
	c.state, c.escaped, c.from, c.to = present, escaped, int32(i+1), int32(end-1)
	return end
}

func (c *cell) integer(f *field, s []byte, i int) int {
	v, kind, end := integer(s, i)
	switch {
	case kind == noInteger:
		c.state = fault
	case kind == beyondInt64 || v < f.low || v > f.high:
		c.state = outOfRange
	default:
		c.state, c.value = present, v
	}
	return end
}

func (c *cell) decimal(f *field, s []byte, i int) int {
	end, _ := skipNumber(s, i)
	if end == malformed {
		return malformed
	}
	v, ok := decimal(s[i:end], f.scale)
	c.state, c.value = present, v
	if !ok {
		c.state = fault
	}
	return end
}

func (d *Decoder) enum(f *field, c *cell, s []byte, i int) int {
	if l := &f.literals[f.guess]; l.begins(s[i:]) {
		c.state, c.value = present, int64(f.guess)
		return i + len(l.text)
	}
	end, escaped := skipString(s, i)
	if end == malformed {
		return malformed
	}
	text := s[i+1 : end-1]
	if escaped {
		d.scratch = appendUnescaped(d.scratch[:0], text)
		text = d.scratch
	}
	at := f.enum.find(text)
	if at < 0 {
		c.state = fault
		return end
	}
	c.state, c.value, f.guess = present, int64(at), at
	return end
}
