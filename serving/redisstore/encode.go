package redisstore

import (
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// encode returns the command that makes a call of applyFunction: its name, the function, how many keys, the keys and the
// arguments; docs/format/store.md and tidemark.lua say the same. Each byte string is an argument of its own, and so
// binary-safe; the counts of all rows lie in one argument, four bytes a row, which the function reads faster than two
// numbers per row.
//
// A flush has some hundred rows: what there is one of for each of them is handed on as a pointer into the call, which is
// not allocated.
func encode(c *lane.Call) []any {
	keys := rowKeys(c)
	shapes := make([]byte, 0, 4*len(c.Rows))
	fields := 0
	for i := range c.Rows {
		sets, dels := len(c.Rows[i].Set), len(c.Rows[i].Del)
		shapes = append(shapes, byte(sets>>8), byte(sets), byte(dels>>8), byte(dels))
		fields += 2*sets + dels
	}
	args := make([]any, 0, 12+len(keys)+2*len(c.Replace)+2*len(c.Raise)+fields)
	args = append(args, "fcall", applyFunction, len(keys))
	for i := range keys {
		args = append(args, &keys[i])
	}
	args = append(args, flags(c), c.Name, c.Expect, string(c.Incarnation), string(c.RowsOf), c.Set,
		strconv.Itoa(len(c.Replace)), strconv.Itoa(len(c.Raise)), shapes)
	for name, mark := range c.Replace {
		args = append(args, name, mark)
	}
	for _, r := range c.Raise {
		args = append(args, r.Name, strconv.FormatInt(r.Cut, 10))
	}
	for i := range c.Rows {
		r := &c.Rows[i]
		for j := range r.Del {
			args = append(args, &r.Del[j])
		}
		for j := range r.Set {
			args = append(args, &r.Set[j].Name, (*value)(&r.Set[j].Value))
		}
	}
	return args
}

// rowKeys returns the key of the lane's marks, then those of its rows, all in one string.
func rowKeys(c *lane.Call) []string {
	marks, prefix := marksKey(c.Lane), tag(c.Lane)+string(c.RowsOf)+":"
	size := len(c.Rows) * len(prefix)
	for i := range c.Rows {
		size += len(c.Rows[i].Key)
	}
	var text strings.Builder
	text.Grow(size)
	for i := range c.Rows {
		text.WriteString(prefix)
		text.Write(c.Rows[i].Key)
	}
	keys := make([]string, 1, 1+len(c.Rows))
	keys[0] = marks
	rest := text.String()
	for i := range c.Rows {
		n := len(prefix) + len(c.Rows[i].Key)
		keys = append(keys, rest[:n])
		rest = rest[n:]
	}
	return keys
}

// value is bytes that the client library takes by a pointer.
type value []byte

// MarshalBinary implements encoding.BinaryMarshaler.
func (v *value) MarshalBinary() ([]byte, error) { return *v, nil }

func flags(c *lane.Call) string {
	f := []byte("000")
	for i, set := range []bool{c.AnyMark, c.Replace != nil, c.Join} {
		if set {
			f[i] = '1'
		}
	}
	return string(f)
}
