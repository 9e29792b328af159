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
	// Entries and not words: the stack they take is cleared at each call, and so it is half as much.
	var from, to [touchSlots]uint32
	n := 0
	for i := 0; i < len(slots); {
		slot := slots[i]
		for i++; i < len(slots) && slots[i] == slot; { // rows of one entity often stand side by side
			i++
		}
		r := &a.runs[slot]
		from[n], to[n] = r.off, r.off+r.n
		n++
	}
	for i := range n {
		end := int(to[i]) * a.stride
		for at := max(int(from[i])*a.stride, end-touchLines*lineWords); at < end; at += lineWords {
			sum += a.words[at]
		}
	}
	return sum
}

// Touch reads what IDOf of keys with these names will read, where it nearly always does, step by step: table, name, and the
// bytes of a long key. The lookups then wait for memory side by side and not each for itself. The sum means nothing.
func (k *Keys) Touch(names []Name) (sum uint64) {
	for len(names) > 0 {
		n := min(len(names), touchSlots)
		sum += k.touch(names[:n])
		names = names[n:]
	}
	return sum
}

func (k *Keys) touch(names []Name) (sum uint64) {
	var ids [touchSlots]uint32
	n, mask := 0, uint64(len(k.table)-1)
	for _, name := range names {
		if entry := k.table[k.hash(name)&mask]; entry != 0 {
			ids[n] = entry - 1
			n++
		}
	}
	var ends [touchSlots]int
	long := 0
	for _, id := range ids[:n] {
		if name := k.names[id]; !name.Short() {
			ends[long] = k.ends[id]
			long++
		}
	}
	for _, end := range ends[:long] {
		sum += uint64(k.bytes[end-1])
	}
	return sum
}
