package redisstore

import (
	"strconv"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// encode returns the keys and arguments of applyFunction; docs/format/store.md and tidemark.lua say the same. Each byte
// string is an argument of its own, and so binary-safe; the counts of all rows lie in one argument, four bytes a row,
// which the function reads faster than two numbers per row.
func encode(c *lane.Call) (keys []string, args []any) {
	keys = make([]string, 1, 1+len(c.Rows))
	keys[0] = marksKey(c.Lane)
	prefix := tag(c.Lane) + string(c.RowsOf) + ":"
	shapes := make([]byte, 0, 4*len(c.Rows))
	fields := 0
	for i := range c.Rows {
		r := &c.Rows[i]
		keys = append(keys, prefix+string(r.Key))
		sets, dels := len(r.Set), len(r.Del)
		shapes = append(shapes, byte(sets>>8), byte(sets), byte(dels>>8), byte(dels))
		fields += 2*sets + dels
	}
	args = make([]any, 0, 9+2*len(c.Replace)+2*len(c.Raise)+fields)
	args = append(args, flags(c), c.Name, c.Expect, string(c.Incarnation), string(c.RowsOf), c.Set,
		strconv.Itoa(len(c.Replace)), strconv.Itoa(len(c.Raise)), shapes)
	for name, mark := range c.Replace {
		args = append(args, name, mark)
	}
	for _, r := range c.Raise {
		args = append(args, r.Name, strconv.FormatInt(r.Cut, 10))
	}
	for i := range c.Rows {
		for _, name := range c.Rows[i].Del {
			args = append(args, name)
		}
		for _, f := range c.Rows[i].Set {
			args = append(args, f.Name, f.Value)
		}
	}
	return keys, args
}

func flags(c *lane.Call) string {
	f := []byte("000")
	for i, set := range []bool{c.AnyMark, c.Replace != nil, c.Join} {
		if set {
			f[i] = '1'
		}
	}
	return string(f)
}
