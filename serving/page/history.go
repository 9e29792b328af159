package page

import "sync"

// HistorySamples is how many samples a History keeps: ten minutes of one a second.
const HistorySamples = 600

// History keeps the latest samples. The zero value is empty. Safe for concurrent use.
type History struct {
	mu   sync.Mutex
	ring [HistorySamples]Sample
	n    int // samples ever added
}

// Add appends a sample, and forgets the oldest of HistorySamples.
func (h *History) Add(s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring[h.n%HistorySamples] = s
	h.n++
}

// Samples returns the samples, oldest first.
func (h *History) Samples() []Sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Sample, 0, min(h.n, HistorySamples))
	for i := max(0, h.n-HistorySamples); i < h.n; i++ {
		out = append(out, h.ring[i%HistorySamples])
	}
	return out
}
