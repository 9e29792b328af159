package naive

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// activeDays returns the numbers of the days that have events, ascending.
func activeDays(events []Event) []int64 {
	var days []int64
	for _, e := range events {
		days = append(days, e.Time/window.Day)
	}
	return slices.Compact(days) // events come in order of time
}

func activeDaysState(cfg *operator.Config, events []Event, newest int64) []byte {
	hs := hops(cfg)
	reached := slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return tier(cfg, hs, e.Time, newest) < 0 })
	marks := map[int64]uint64{} // by number of the bitmap
	var numbers []int64
	for _, day := range activeDays(reached) {
		if marks[day/64] == 0 {
			numbers = append(numbers, day/64)
		}
		marks[day/64] += 1 << (day % 64)
	}
	if len(numbers) == 0 {
		return nil
	}
	dst := wire.AppendUvarint(nil, uint64(len(numbers)))
	for i, number := range numbers {
		step := number
		if i > 0 {
			step -= numbers[i-1] + 1
		}
		dst = wire.AppendUvarint(wire.AppendUvarint(dst, uint64(step)), marks[number])
	}
	return dst
}

func activeDaysResult(_ *operator.Config, events []Event, _ *operator.Query) operator.Value {
	return operator.OfInt(int64(len(activeDays(events))))
}
