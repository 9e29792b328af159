package arena

const (
	// touchSlots is how many slots are touched at a time: their places are held on the stack in between.
	touchSlots = 256
	// lineWords is the length of a cache line, in words.
	lineWords = 8
	// touchLines bounds the cache lines touched of one slot: what operators look at first are the latest entries.
	touchLines = 4
)

// Touch reads the latest entries of these slots and returns a number made of them, for nobody to use. Rows of a batch
// belong to slots all over the arena, and a fold that goes row by row waits for memory at each; reads that do not depend
// on each other wait side by side. A caller that is going to fold some hundred rows touches their slots first. It changes
// nothing.
func (a *Runs) Touch(slots []int32) (sum uint64) {
	for len(slots) > 0 {
		n := min(len(slots), touchSlots)
		sum += a.touch(slots[:n])
		slots = slots[n:]
	}
	return sum
}

func (a *Runs) touch(slots []int32) (sum uint64) {
	var from, to [touchSlots]int
	for i, slot := range slots {
		r := &a.runs[slot]
		begin := int(r.off) * a.stride
		end := begin + int(r.n)*a.stride
		from[i], to[i] = max(begin, end-touchLines*lineWords), end
	}
	for i := range slots {
		for at := from[i]; at < to[i]; at += lineWords {
			sum += a.words[at]
		}
	}
	return sum
}
