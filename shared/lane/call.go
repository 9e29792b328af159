package lane

import (
	"fmt"
	"maps"
	"strings"
)

// RowChange is what one call does to one row: first the deletes, then the writes. A row without fields left is gone.
type RowChange struct {
	Key []byte
	Set []Field
	Del []string
}

// Raise is a partition whose mark a batch call moves up to its cut where it is absent or behind.
type Raise struct {
	Name string // partition
	Cut  int64
}

// Call is the one kind of change of a lane. It is applied as a whole, atomically, or not at all, and it expects what
// the caller saw:
//
//   - Name's mark is exactly Expect ("" = absent); unless AnyMark is set, which skips this comparison;
//   - if Incarnation is not empty, the batch mark is of that incarnation (a call that creates a partition's mark, and
//     one that deletes leftover rows, hang on nothing else).
//
// If that holds: the rows of incarnation RowsOf are changed, Name's mark becomes Set ("" = it stays as it is), and then
//
//   - Replace non-nil: all marks of the lane but Name's are deleted and these are set (beginning and dropping a lane);
//   - Raise: each partition named whose mark is absent or whose Next is below Cut gets [Cut, Cut), not joined;
//   - Join: every partition mark becomes joined.
//
// A store applies these in the order written.
type Call struct {
	Lane        ID
	Name        string
	Expect      string
	AnyMark     bool
	Incarnation Incarnation

	RowsOf Incarnation
	Rows   []RowChange
	Set    string

	Replace map[string]string
	Raise   []Raise
	Join    bool

	// Once says that the call must reach the store at most once: no retry by a client library (beginning a lane).
	Once bool
}

// Result is a store's answer to a call. If it was not applied, Marks holds all marks of the lane as they are.
type Result struct {
	Applied bool
	Marks   Marks
}

// Decide is the meaning of a call for the marks of its lane: it tells whether the call applies and returns the marks
// that it leaves (a new map; marks itself is not changed). It errs only on marks that do not read.
func Decide(marks Marks, c *Call) (after Marks, applied bool, err error) {
	if !c.AnyMark && marks[c.Name] != c.Expect {
		return marks, false, nil
	}
	if c.Incarnation != "" && !strings.HasPrefix(marks[BatchName], string(c.Incarnation)+" ") {
		return marks, false, nil
	}
	after = maps.Clone(marks)
	if after == nil {
		after = Marks{}
	}
	if c.Set != "" {
		after[c.Name] = c.Set
	}
	if c.Replace != nil {
		maps.DeleteFunc(after, func(name, _ string) bool { return name != c.Name })
		maps.Copy(after, c.Replace)
	}
	if err := raise(after, c.Raise, c.RowsOf); err != nil {
		return marks, false, fmt.Errorf("deciding a call on lane %s: %w", c.Lane, err)
	}
	if c.Join {
		if err := join(after); err != nil {
			return marks, false, fmt.Errorf("deciding a call on lane %s: %w", c.Lane, err)
		}
	}
	return after, true, nil
}

func raise(marks Marks, to []Raise, inc Incarnation) error {
	for _, r := range to {
		if s := marks[r.Name]; s != "" {
			m, err := ParseMark(s)
			if err != nil {
				return err
			}
			if m.Next >= r.Cut {
				continue
			}
		}
		marks[r.Name] = Mark{Incarnation: inc, Low: r.Cut, Next: r.Cut}.Wire()
	}
	return nil
}

func join(marks Marks) error {
	for name, s := range marks {
		if name == BatchName {
			continue
		}
		m, err := ParseMark(s)
		if err != nil {
			return err
		}
		m.Low = Joined
		marks[name] = m.Wire()
	}
	return nil
}
