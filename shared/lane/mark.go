package lane

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/position"
)

// BatchName is the name of the batch mark among a lane's marks; the others are named by their partition ("events/4").
const BatchName = "batch"

// Joined is the value of Mark.Low that says: nothing is missing below.
const Joined = -1

// ErrMark is the class of errors about a mark that does not read.
var ErrMark = errors.New("damaged mark")

// Mark says what one lane holds of one partition: its block tiles hold the log from Low to Next, and what lies below
// Low is still to be brought by batch (Joined: nothing is missing below).
type Mark struct {
	Incarnation Incarnation
	Low         int64 // 0 ≤ Low ≤ Next, or Joined
	Next        int64 // first offset not taken in, ≤ position.MaxOffset
	Append      int64 // ms: the append time reached, for display only; 0 = not known
}

// Joined tells whether nothing is missing below Next.
func (m Mark) Joined() bool { return m.Low == Joined }

// Wire returns the mark as stores hold it: "incarnation low next append", low being j when joined. Marks are compared
// as these bytes.
func (m Mark) Wire() string {
	var buf [64]byte
	b := append(append(buf[:0], m.Incarnation...), ' ')
	if m.Low == Joined {
		b = append(b, 'j')
	} else {
		b = strconv.AppendInt(b, m.Low, 10)
	}
	b = strconv.AppendInt(append(b, ' '), m.Next, 10)
	return string(strconv.AppendInt(append(b, ' '), m.Append, 10))
}

// words splits a mark into its four words; ok is false if there are not four, or the first is empty.
func words(s string) (w [4]string, ok bool) {
	for i := range 3 {
		if w[i], s, ok = strings.Cut(s, " "); !ok {
			return w, false
		}
	}
	w[3] = s
	return w, w[0] != "" && strings.IndexByte(s, ' ') < 0
}

// ParseMark reads what Wire writes.
func ParseMark(s string) (Mark, error) {
	p, ok := words(s)
	if !ok {
		return Mark{}, fmt.Errorf("%w: %q is no partition mark", ErrMark, s)
	}
	m := Mark{Incarnation: Incarnation(p[0]), Low: Joined}
	var errs [3]error
	if p[1] != "j" {
		m.Low, errs[0] = parseCount(p[1])
	}
	m.Next, errs[1] = parseCount(p[2])
	m.Append, errs[2] = parseCount(p[3])
	if err := errors.Join(errs[:]...); err != nil || m.Low > m.Next {
		return Mark{}, fmt.Errorf("%w: %q is no partition mark", ErrMark, s)
	}
	return m, nil
}

// BatchMark says how far a lane has taken in the runs: all runs below Run, and Rows rows of that one's file. The lane is
// whole when Run > WholeFrom: every range has its base.
type BatchMark struct {
	Incarnation Incarnation
	Run         int64 // ≥ 1
	Rows        int64
	WholeFrom   int64
}

// Dropped is the batch mark, in wire form, of a lane whose generation was dropped; it stays.
const Dropped = "dropped"

// Whole tells whether all bases of the lane's rows are in.
func (b BatchMark) Whole() bool { return b.Run > b.WholeFrom }

// Wire returns the mark as stores hold it: "incarnation run rows wholefrom".
func (b BatchMark) Wire() string {
	var buf [64]byte
	w := append(append(buf[:0], b.Incarnation...), ' ')
	w = strconv.AppendInt(w, b.Run, 10)
	w = strconv.AppendInt(append(w, ' '), b.Rows, 10)
	return string(strconv.AppendInt(append(w, ' '), b.WholeFrom, 10))
}

// ParseBatchMark reads what Wire writes. Dropped is not a mark to it: callers look for that first.
func ParseBatchMark(s string) (BatchMark, error) {
	p, ok := words(s)
	if !ok {
		return BatchMark{}, fmt.Errorf("%w: %q is no batch mark", ErrMark, s)
	}
	b := BatchMark{Incarnation: Incarnation(p[0])}
	var errs [3]error
	b.Run, errs[0] = parseCount(p[1])
	b.Rows, errs[1] = parseCount(p[2])
	b.WholeFrom, errs[2] = parseCount(p[3])
	if err := errors.Join(errs[:]...); err != nil || b.Run < 1 {
		return BatchMark{}, fmt.Errorf("%w: %q is no batch mark", ErrMark, s)
	}
	return b, nil
}

// parseCount reads an integer from 0 to position.MaxOffset in its one canonical form.
func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	var buf [20]byte
	if err != nil || n < 0 || n > position.MaxOffset || string(strconv.AppendInt(buf[:0], n, 10)) != s {
		return 0, fmt.Errorf("%q is no count", s)
	}
	return n, nil
}

// Marks are all marks of one lane in wire form, by name: BatchName and partitions. An empty map is a lane that was
// emptied or never begun.
type Marks map[string]string

// Batch returns the batch mark. ok is false where there is none or the lane is dropped (Marks[BatchName] == Dropped).
func (m Marks) Batch() (b BatchMark, ok bool, err error) {
	s := m[BatchName]
	if s == "" || s == Dropped {
		return BatchMark{}, false, nil
	}
	b, err = ParseBatchMark(s)
	return b, err == nil, err
}

// Partition returns the mark of p; ok is false where there is none.
func (m Marks) Partition(p position.Partition) (mark Mark, ok bool, err error) {
	s := m[p.String()]
	if s == "" {
		return Mark{}, false, nil
	}
	mark, err = ParseMark(s)
	return mark, err == nil, err
}
