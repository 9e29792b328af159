package position

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DefaultBlock is the number of offsets in a block of a source that declares none.
const DefaultBlock = 65_536

// MaxOffset bounds every offset: stores compare offsets as IEEE doubles (Redis functions run Lua),
// which are exact below 2^53. A log that writes a million records a second reaches it in 285 years.
const MaxOffset = 1<<53 - 1

// Partition names one partition of one source.
type Partition struct {
	Source string
	ID     int32
}

// Compare orders partitions by the bytes of the source's name, then by number.
func (p Partition) Compare(q Partition) int {
	return cmp.Or(strings.Compare(p.Source, q.Source), cmp.Compare(p.ID, q.ID))
}

// String returns source/partition, the form used in marks, file names and messages.
func (p Partition) String() string { return p.Source + "/" + strconv.Itoa(int(p.ID)) }

// ParsePartition reads the form that String writes.
func ParsePartition(s string) (Partition, error) {
	i := strings.LastIndexByte(s, '/')
	if i <= 0 {
		return Partition{}, fmt.Errorf("parsing partition %q: want source/number", s)
	}
	n, err := strconv.ParseInt(s[i+1:], 10, 32)
	if err != nil || n < 0 {
		return Partition{}, fmt.Errorf("parsing partition %q: the part after / is no partition number", s)
	}
	return Partition{Source: s[:i], ID: int32(n)}, nil
}

// Position is one place in the log: the record at Offset of Partition. As a progress value ("next") it means
// that everything below Offset is done.
type Position struct {
	Partition
	Offset int64
}

// String returns source/partition@offset.
func (p Position) String() string { return fmt.Sprintf("%s@%d", p.Partition, p.Offset) }

// Range is the half-open interval [From, Next) of offsets of one partition.
type Range struct {
	From, Next int64
}

// Empty tells whether the range holds no offset.
func (r Range) Empty() bool { return r.Next <= r.From }

// Contains tells whether offset lies in the range.
func (r Range) Contains(offset int64) bool { return r.From <= offset && offset < r.Next }

// String returns [from,next).
func (r Range) String() string { return fmt.Sprintf("[%d,%d)", r.From, r.Next) }

// Block returns the label of the block of size b that holds offset: its first offset. b is a power of two.
func Block(offset, b int64) int64 { return offset &^ (b - 1) }

// ValidBlock tells whether b can be a block size: a power of two from 1 to 2^30.
func ValidBlock(b int64) bool { return b > 0 && b <= 1<<30 && b&(b-1) == 0 }

// Cut says, for every partition, the first offset that a run does not cover; it is the label of a block. A partition
// that is absent has nothing covered: its cut is 0. The zero Cut is usable for reading.
type Cut map[Partition]int64

// Next returns the first offset of p that the cut does not cover.
func (c Cut) Next(p Partition) int64 { return c[p] }

// Partitions returns the partitions of the cut in order.
func (c Cut) Partitions() []Partition {
	ps := make([]Partition, 0, len(c))
	for p := range c {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, Partition.Compare)
	return ps
}

// AtLeast tells whether c covers everything that d covers.
func (c Cut) AtLeast(d Cut) bool {
	for p, next := range d {
		if c[p] < next {
			return false
		}
	}
	return true
}

// Equal tells whether both cuts cover the same.
func (c Cut) Equal(d Cut) bool { return c.AtLeast(d) && d.AtLeast(c) }

// String returns the cut as "source/0:65536 source/1:0" in order of partitions.
func (c Cut) String() string {
	var sb strings.Builder
	for i, p := range c.Partitions() {
		if i > 0 {
			sb.WriteByte(' ')
		}
		fmt.Fprintf(&sb, "%s:%d", p, c[p])
	}
	return sb.String()
}
