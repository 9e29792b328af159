package storelimit

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

const inc = lane.Incarnation("aaaaaaaaaa")

// Each limit is tried at its value and one past it.
func TestLimits(t *testing.T) {
	id := lane.ID{Namespace: "n", N: 0}
	call := func(change func(*lane.Call)) error {
		c := &lane.Call{Lane: id, Name: lane.BatchName, RowsOf: inc}
		change(c)
		return Call(c)
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	row := func(r lane.RowChange) func(*lane.Call) {
		return func(c *lane.Call) { c.Rows = []lane.RowChange{r} }
	}
	for _, c := range []struct {
		name    string
		in, out error
	}{
		{"namespace", Namespace(long(MaxNamespaceBytes)), Namespace(long(MaxNamespaceBytes + 1))},
		{"empty namespace", Namespace("*?[ \n%\xff"), Namespace("")},
		{"braces", Namespace("a"), Namespace("a}")},
		{"zero byte", Namespace("a"), Namespace("a\x00")},
		{"lane", Lane(lane.ID{Namespace: "n", N: 255}), Lane(lane.ID{Namespace: "n", N: 256})},
		{"negative lane", Lane(id), Lane(lane.ID{Namespace: "n", N: -1})},
		{"incarnation", incarnation("aZ09"), incarnation("a b")},
		{
			"incarnation length", incarnation(lane.Incarnation(long(MaxIncarnationBytes))),
			incarnation(lane.Incarnation(long(MaxIncarnationBytes + 1))),
		},
		{
			"key", Row(lane.RowID{Lane: id, Incarnation: inc, Key: make([]byte, MaxKeyBytes)}),
			Row(lane.RowID{Lane: id, Incarnation: inc, Key: make([]byte, MaxKeyBytes+1)}),
		},
		{"view", View(long(MaxViewBytes)), View(long(MaxViewBytes + 1))},
		{"manifest number", Manifest("v", position.MaxOffset, nil), Manifest("v", position.MaxOffset+1, nil)},
		{"manifest zero", Manifest("v", 1, nil), Manifest("v", 0, nil)},
		{"manifest body", Manifest("v", 1, make([]byte, MaxManifestBytes)), Manifest("v", 1, make([]byte, MaxManifestBytes+1))},
		{
			"mark name", call(func(c *lane.Call) { c.Name = long(MaxNameBytes) }),
			call(func(c *lane.Call) { c.Name = long(MaxNameBytes + 1) }),
		},
		{
			"mark", call(func(c *lane.Call) { c.Set = long(MaxMarkBytes) }),
			call(func(c *lane.Call) { c.Set = long(MaxMarkBytes + 1) }),
		},
		{
			"nameless", call(func(c *lane.Call) { c.Name, c.Replace = "", map[string]string{} }),
			call(func(c *lane.Call) { c.Name, c.Set = "", "x" }),
		},
		{
			"replace", call(func(c *lane.Call) { c.Replace = map[string]string{"a": "b"} }),
			call(func(c *lane.Call) { c.Replace = map[string]string{"a": ""} }),
		},
		{
			"raise", call(func(c *lane.Call) { c.Raise = []lane.Raise{{Name: "a/0", Cut: position.MaxOffset}} }),
			call(func(c *lane.Call) { c.Raise = []lane.Raise{{Name: "a/0", Cut: -1}} }),
		},
		{
			"raise of rows", call(func(c *lane.Call) { c.Raise = []lane.Raise{{Name: "a/0"}} }),
			call(func(c *lane.Call) { c.Raise, c.RowsOf = []lane.Raise{{Name: "a/0"}}, "" }),
		},
		{
			"rows", call(func(c *lane.Call) { c.Rows = make([]lane.RowChange, MaxCallRows) }),
			call(func(c *lane.Call) { c.Rows = make([]lane.RowChange, MaxCallRows+1) }),
		},
		{
			"row key", call(row(lane.RowChange{Key: make([]byte, MaxKeyBytes)})),
			call(row(lane.RowChange{Key: make([]byte, MaxKeyBytes+1)})),
		},
		{
			"fields", call(row(lane.RowChange{Del: make([]string, MaxRowFields)})),
			call(row(lane.RowChange{Del: make([]string, MaxRowFields+1)})),
		},
		{
			"set name", call(row(lane.RowChange{Set: []lane.Field{{Name: long(MaxNameBytes)}}})),
			call(row(lane.RowChange{Set: []lane.Field{{Name: long(MaxNameBytes + 1)}}})),
		},
		{
			"delete name", call(row(lane.RowChange{Del: []string{long(MaxNameBytes)}})),
			call(row(lane.RowChange{Del: []string{long(MaxNameBytes + 1)}})),
		},
		{
			"bytes", call(row(lane.RowChange{Set: []lane.Field{{Value: make([]byte, MaxCallBytes)}}})),
			call(row(lane.RowChange{Set: []lane.Field{{Value: make([]byte, MaxCallBytes+1)}}})),
		},
	} {
		if c.in != nil {
			t.Errorf("%s: refused at its limit: %v", c.name, c.in)
		}
		if !errors.Is(c.out, ErrLimit) || !errors.Is(c.out, lane.ErrStore) {
			t.Errorf("%s: one past its limit: %v, want ErrLimit and ErrStore", c.name, c.out)
		}
	}
}
