package fold

// Entities returns the number of tiles in the open blocks.
func (g *Generation) Entities() (n int) {
	for _, b := range g.blocks {
		n += b.fold.Len()
	}
	return n
}

// Spare returns the number of blocks that are kept to be used again.
func (g *Generation) Spare() int { return len(g.spare) }
