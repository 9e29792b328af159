package simulation

import (
	"fmt"
	"math/rand/v2"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// The bounds of a world.
const (
	maxPartitions  = 3  // of both sources together
	maxGenerations = 3  // of the view, in the order in which they are created
	maxEvents      = 40 // an event is a bit of an int64 and the highest is the sign
	maxEntities    = 4
	maxPeriod      = 3
	maxLanes       = 2
	workers        = 2 // processes of the speed layer; both own every partition
	processes      = 2 // of batch
)

// Config is what a world is made of before anything happens in it.
type Config struct {
	Lanes      int      // of every generation: 1 or 2
	Entities   int      // 1 to maxEntities
	Blocks     int      // index of blockSizes
	Partitions int      // at the beginning: 1 to maxPartitions; more may come
	Start      [2]int64 // where the first partition of each source begins: its head was trimmed before anybody came
	Period     int64    // every row is compacted once in so many runs
	Once       bool     // batch's calls bring one row each, not two
	Last       int      // which worker (bit 0) and which process of batch (bit 1) go on when the faults stop
}

// String returns the configuration as cases have it.
func (c Config) String() string {
	return fmt.Sprintf("world lanes=%d entities=%d blocks=%d partitions=%d start=%d,%d period=%d once=%t last=%d",
		c.Lanes, c.Entities, c.Blocks, c.Partitions, c.Start[0], c.Start[1], c.Period, c.Once, c.Last)
}

// parseConfig reads what String writes.
func parseConfig(s string) (c Config, err error) {
	_, err = fmt.Sscanf(s, "world lanes=%d entities=%d blocks=%d partitions=%d start=%d,%d period=%d once=%t last=%d",
		&c.Lanes, &c.Entities, &c.Blocks, &c.Partitions, &c.Start[0], &c.Start[1], &c.Period, &c.Once, &c.Last)
	if err != nil {
		return c, fmt.Errorf("%w: %q: %w", ErrCase, s, err)
	}
	return c, nil
}

// randomConfig draws a configuration.
func randomConfig(r *rand.Rand) Config {
	c := Config{
		Lanes: 1 + r.IntN(maxLanes), Entities: 1 + r.IntN(maxEntities), Blocks: r.IntN(len(blockSizes)),
		Partitions: 1 + r.IntN(maxPartitions), Period: 1 + r.Int64N(maxPeriod), Once: r.IntN(2) == 0,
		Last: r.IntN(workers * processes),
	}
	if r.IntN(3) == 0 {
		c.Start = [2]int64{r.Int64N(5), r.Int64N(5)}
	}
	return c
}

// The two sources. Partitions of both are numbered together, in the order of partitionOf.
var (
	sourceNames = [2]string{"clicks", "orders"}
	blockSizes  = [3][2]int64{{2, 4}, {4, 2}, {4, 8}}
)

// keys are the entities' keys in canonical form. The first two lie in different lanes of two, as do the others, so that
// worlds with few entities have rows in each.
var keys = chooseKeys()

func chooseKeys() (chosen [maxEntities][]byte) {
	ranges := map[int]bool{}
	for i, n := 0, 0; i < maxEntities; n++ {
		key := fmt.Appendf(nil, "user:%d", n)
		hash := view.Hash(key)
		if lane.Of(hash, maxLanes) == i%maxLanes && !ranges[lane.Range(hash)%6] {
			ranges[lane.Range(hash)%6] = true
			chosen[i] = key
			i++
		}
	}
	return chosen
}

// The fields of both sources.
const (
	fieldAt = iota
	fieldUser
	fieldBit
)

// plans are the views that are folded, by block sizes: one feature, the sum of the bits of the entity's events. Sum and
// number of events together say which events a row holds: n powers of two add up to a number of n bits only if all differ.
var plans = compilePlans()

func compilePlans() (all [len(blockSizes)]*view.Plan) {
	for i, sizes := range blockSizes {
		spec := view.Spec{
			Job: "sim", Name: "v", Entity: []view.KeySpec{{Kind: "user", Fields: []string{"user"}}},
			Features: []view.FeatureSpec{{Name: "bits", Op: "sum", Value: []string{"bit"}}},
		}
		for s, name := range sourceNames {
			spec.Sources = append(spec.Sources, schema.Source{Name: name, Topic: name, EventTime: "at", Block: sizes[s], Fields: []schema.Field{
				fieldAt:   {Name: "at", Type: schema.Time, Required: true},
				fieldUser: {Name: "user", Type: schema.String},
				fieldBit:  {Name: "bit", Type: schema.Int64},
			}})
		}
		plan, err := view.Compile(spec)
		if err != nil {
			invariantFail(err)
		}
		all[i] = plan
	}
	return all
}
