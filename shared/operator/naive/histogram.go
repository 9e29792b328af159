package naive

import (
	"maps"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// histogram counts the events of each bin that has any.
func histogram(cfg *operator.Config, events []Event) map[int]int {
	bins := map[int]int{}
	for _, e := range events {
		v := e.In[0].Int
		bin := int(v)
		if cfg.Inputs[0].Type != schema.Enum {
			bin = 0
			for _, edge := range cfg.Edges {
				if v >= edge {
					bin++
				}
			}
		}
		bins[bin]++
	}
	return bins
}

func histogramState(cfg *operator.Config, events []Event, newest int64) []byte {
	return group(buckets(cfg, events, newest), func(b *bucket) []byte {
		bins := histogram(cfg, b.events)
		dst := wire.AppendUvarint(nil, uint64(len(bins)))
		before := -1
		for _, bin := range slices.Sorted(maps.Keys(bins)) {
			dst = wire.AppendUvarint(dst, uint64(bin-before-1))
			dst = wire.AppendUvarint(dst, uint64(bins[bin]))
			before = bin
		}
		return dst
	})
}

func histogramResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	bins := histogram(cfg, events)
	items := []operator.Value{}
	if in := &cfg.Inputs[0]; in.Type == schema.Enum {
		for i := range in.Enum {
			items = append(items, operator.OfInt(int64(bins[i])))
		}
		return operator.OfStruct(in.Enum, items)
	}
	for i := range len(cfg.Edges) + 1 {
		items = append(items, operator.OfInt(int64(bins[i])))
	}
	return operator.OfList(items)
}
