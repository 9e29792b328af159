package operatortest

import (
	"fmt"
	"math/rand/v2"

	"github.com/tidemark-io/tidemark/shared/operator"
)

// T is what Laws needs of a test. *testing.T and *rapid.T have it, and a program that checks operators may bring its own.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Worlds is the number of worlds that Laws tries: as many with seeds that are always the same as with new ones.
const Worlds = 16

// Laws checks kind under cfg, which the kind must accept. gen makes the values of the inputs, nil = DefaultGen.
func Laws(t T, kind *operator.Kind, cfg operator.Config, gen Gen) {
	t.Helper()
	for i := range uint64(Worlds / 2) {
		Replay(t, kind, cfg, gen, i)
		Replay(t, kind, cfg, gen, rand.Uint64())
	}
}

// Replay checks the laws in the one world of seed.
func Replay(t T, kind *operator.Kind, cfg operator.Config, gen Gen, seed uint64) {
	t.Helper()
	if err := replay(kind, cfg, gen, seed); err != nil {
		t.Fatalf("operator %s breaks a law in the world of seed %d: %v", kind.Name, seed, err)
	}
}

func replay(kind *operator.Kind, cfg operator.Config, gen Gen, seed uint64) (err error) {
	op, err := kind.New(cfg)
	if err != nil {
		return fmt.Errorf("making the operator: %w", err)
	}
	if gen == nil {
		gen = DefaultGen
	}
	l := &laws{
		kind: kind, cfg: cfg, op: op, seed: seed,
		rng: rand.New(rand.NewPCG(seed, uint64(len(cfg.Inputs)))),
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	l.world = newWorld(l.rng, cfg, gen)
	for _, law := range []struct {
		name  string
		check func() error
	}{
		{"one fold", l.oneFold},
		{"splits", l.splits},
		{"arranged rows", l.arranged},
		{"identity", l.identity},
		{"newest jumps", l.jumps},
		{"results", l.results},
		{"rows", l.rows},
		{"damage", l.damage},
	} {
		if err := law.check(); err != nil {
			return fmt.Errorf("%s: %w", law.name, err)
		}
	}
	return nil
}

// laws is one world on trial.
type laws struct {
	kind  *operator.Kind
	cfg   operator.Config
	op    operator.Operator
	seed  uint64
	rng   *rand.Rand
	world *world

	states operator.States // of one fold over the whole world, slot = entity
	whole  [][]byte        // their bytes at the entities' newest

	damaged    operator.States // what damaged bytes are merged into, again and again
	damagedRow operator.States // the same of operator.RowReader
}
