package naive

import (
	"cmp"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// bucket is the events that one cell is made of.
type bucket struct {
	tier   int
	number int64
	start  int64
	all    bool // the bucket of all time
	events []Event
}

// hops returns the hops of the configuration in ascending order, 0 (all time) last.
func hops(cfg *operator.Config) []int64 {
	var hs []int64
	for _, w := range cfg.Windows {
		if !slices.Contains(hs, w.Hop) {
			hs = append(hs, w.Hop)
		}
	}
	slices.SortFunc(hs, func(a, b int64) int { return cmp.Compare(uint64(a)-1, uint64(b)-1) })
	return hs
}

// tier returns the index of the finest of the hops of which some window at newest holds t, -1 if there is none.
func tier(cfg *operator.Config, hs []int64, t, newest int64) int {
	for i, hop := range hs {
		for _, w := range cfg.Windows {
			if w.Hop == hop && (hop == 0 || t/hop > newest/hop-w.Length/hop) {
				return i
			}
		}
	}
	return -1
}

// buckets puts each event into its bucket, in order of tier and time; events that no window holds are left out.
func buckets(cfg *operator.Config, events []Event, newest int64) []*bucket {
	hs := hops(cfg)
	var out []*bucket
	at := map[[2]int64]*bucket{}
	for _, e := range events {
		i := tier(cfg, hs, e.Time, newest)
		if i < 0 {
			continue
		}
		b := bucket{tier: i, all: hs[i] == 0}
		if !b.all {
			b.number = e.Time / hs[i]
			b.start = b.number * hs[i]
		}
		key := [2]int64{int64(i), b.number}
		if at[key] == nil {
			at[key] = &b
			out = append(out, &b)
		}
		at[key].events = append(at[key].events, e)
	}
	slices.SortFunc(out, func(a, b *bucket) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(a.number, b.number))
	})
	return out
}

// group writes the cells of one key: which tiers there are, then tier by tier how many buckets, their numbers and what
// aggregate makes of them. A bucket of which it makes nil is no cell.
func group(bs []*bucket, aggregate func(b *bucket) []byte) []byte {
	var kept []*bucket
	var content [][]byte
	var tiers uint64
	count := map[int]uint64{}
	for _, b := range bs {
		if c := aggregate(b); c != nil {
			kept, content = append(kept, b), append(content, c)
			tiers |= 1 << b.tier
			count[b.tier]++
		}
	}
	if len(kept) == 0 {
		return nil
	}
	dst := wire.AppendUvarint(nil, tiers)
	for i, b := range kept {
		first := i == 0 || kept[i-1].tier != b.tier
		switch {
		case b.all:
		case first:
			dst = wire.AppendUvarint(dst, count[b.tier])
			dst = wire.AppendUvarint(dst, uint64(b.number))
		default:
			dst = wire.AppendUvarint(dst, uint64(b.number-kept[i-1].number-1))
		}
		dst = append(dst, content[i]...)
	}
	return dst
}

// tuple writes data of these inputs.
func tuple(inputs []operator.Input, data []Datum) []byte {
	var dst []byte
	for i, in := range inputs {
		switch {
		case data[i].Null:
			dst = wire.AppendNull(dst)
		case in.Type.IsBytes():
			dst = wire.AppendBytes(dst, data[i].Bytes)
		default:
			dst = wire.AppendInt(dst, data[i].Int)
		}
	}
	return dst
}

// place writes source, partition and offset.
func place(dst []byte, e *Event) []byte {
	dst = wire.AppendUvarint(dst, uint64(e.Source))
	dst = wire.AppendUvarint(dst, uint64(e.Partition))
	return wire.AppendUvarint(dst, uint64(e.Offset))
}
