// Package generate is what a job's seeded traffic generator offers: records, one after the other, the same ones for the
// same seed. It knows nothing of any job.
package generate

import "math/rand/v2"

// Record is one generated record. The slices are valid until the next call of Next.
type Record struct {
	Key   []byte // record key; nil = none
	Value []byte
}

// Generator makes records. Next returns the record that is appended at now, ms since 1970; calls come with times that do
// not go back. The same seed and the same times give the same records. Not safe for concurrent use.
type Generator interface {
	Next(now int64) Record
}

// New makes a generator from a seed.
type New func(seed uint64) Generator

// Rand returns the random source of a seed.
func Rand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x7469_6465_6d61_726b)) }
