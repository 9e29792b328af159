package kafkalog

// The size of the arena's blocks, and the expansion it expects of a batch at least and at most.
const (
	arenaBlockBytes = 1 << 20
	arenaMinRatio   = 4
	arenaMaxRatio   = 32
)

// arena gives out buffers for decompressed batches, of sizes unknown beforehand, which all stay valid until the reset.
// It keeps its blocks, and learns how much batches expand, so that it stops allocating after a few responses.
type arena struct {
	blocks [][]byte // the length of each is what is in use
	cur    int
	ratio  int // the largest expansion seen, rounded up, within the limits above
}

// reset takes everything back, and lets go of what is over limit bytes.
func (a *arena) reset(limit int) {
	kept, bytes := a.blocks[:0], 0
	for _, b := range a.blocks {
		if bytes += cap(b); bytes <= limit {
			kept = append(kept, b[:0])
		}
	}
	clear(a.blocks[len(kept):])
	a.blocks, a.cur = kept, 0
}

// room returns an empty slice whose capacity is likely enough for src bytes decompressed. It may be appended to beyond.
func (a *arena) room(src int) []byte {
	want := src * max(a.ratio, arenaMinRatio)
	for ; a.cur < len(a.blocks); a.cur++ {
		if b := a.blocks[a.cur]; cap(b)-len(b) >= want {
			return b[len(b):len(b):cap(b)]
		}
	}
	a.blocks = append(a.blocks, make([]byte, 0, max(arenaBlockBytes, want)))
	return a.blocks[a.cur]
}

// keep notes that out, which came from the last room and was appended to, is in use. If it outgrew its block, appending
// has moved it to memory of its own, which becomes a block.
func (a *arena) keep(out []byte, src int) {
	if len(out) == 0 {
		return
	}
	a.ratio = min(max(a.ratio, (len(out)+src-1)/src), arenaMaxRatio)
	b := a.blocks[a.cur]
	if at := b[len(b):cap(b)]; len(out) <= len(at) && &out[0] == &at[0] {
		a.blocks[a.cur] = b[:len(b)+len(out)]
		return
	}
	a.blocks = append(a.blocks, out)
	last := len(a.blocks) - 1
	a.blocks[a.cur], a.blocks[last] = a.blocks[last], a.blocks[a.cur]
}
