package journal

import "github.com/tidemark-io/tidemark/shared/lane"

// MaxEvery bounds in how many runs a hash range gets one fresh base, and with it the deltas of a row.
const MaxEvery = 4096

// Ranges is the number of hash ranges (lane.Range).
const Ranges = lane.MaxLanes

// ValidEvery tells whether every can be in how many runs a hash range gets a fresh base; 0 is never.
func ValidEvery(every int64) bool { return every >= 0 && every <= MaxEvery }

// turn tells whether it is a hash range's turn in a run: each comes once in every runs, and of neighbours one after the
// other, so that no run has more to merge than the next.
func turn(hashRange int, run, every int64) bool {
	return every > 0 && (int64(hashRange)+run)%every == 0
}

// kindOf returns the kind of a run.
func kindOf(run, every int64) Kind {
	if run == 1 {
		return Full
	}
	for r := range Ranges {
		if turn(r, run, every) {
			return Compact
		}
	}
	return Delta // also with more runs between bases than there are ranges
}

// HasBases tells whether a run's rows of a hash range are bases.
func (r *Run) HasBases(hashRange int) bool {
	return r.Kind == Full || (r.Kind == Compact && turn(hashRange, r.Number, r.Every))
}

// Bases returns for each hash range the newest run up to run k that holds its bases. Run 1 holds all; for k = 0 it is 1
// too. The rows of a range at cut k are those of this run's file, merged with those of the runs after it up to k.
func (j *Generation) Bases(k int64) (bases [Ranges]int64) {
	left := Ranges
	for ; k > 1 && left > 0; k-- {
		for r := range bases {
			if bases[r] == 0 && j.Runs[k-1].HasBases(r) {
				bases[r] = k
				left--
			}
		}
	}
	for r := range bases {
		bases[r] = max(bases[r], 1)
	}
	return bases
}

// BasesFrom returns the newest run s such that every hash range has its base in the runs s to the last checked one; 1
// where there is no run yet. It never goes back. A lane that is begun takes in the files from s on, the next run merges
// none that is older, and so does a full check: files of older runs are of use only to lanes that have not taken them in.
func (j *Generation) BasesFrom() int64 {
	bases := j.Bases(j.LastChecked())
	from := bases[0]
	for _, run := range bases {
		from = min(from, run)
	}
	return from
}
