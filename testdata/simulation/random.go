package simulation

import "math/rand/v2"

// weights say how often each action is tried, in thousandths, more or less.
var weights = [Actions]int{
	Append: 40, Grow: 3, Archive: 24, Trim: 6,
	Look: 40, Fetch: 130, Flush: 110, ReadMarks: 60, Exchange: 220, Crash: 4, Late: 30,
	Open: 20, Tick: 60, Plan: 40, Move: 220, Manifest: 20, Clean: 20, Sweep: 30, Remove: 20, Die: 3,
	Build: 6, Promote: 40, Drop: 8,
	LookUp: 30, Answer: 30, Wait: 8,
	LoseSuffix: 3, LoseLane: 4, Empty: 1, EmptyOne: 2, Dump: 2, Restore: 2, Unmark: 3, FailRuns: 1,
}

// mood is how often what goes wrong does so in one world, so that there are worlds with little of each.
type mood struct {
	weights [Actions]int
	total   int
	fate    [Fates]int // in hundredths; what is left is delivered
	first   uint8      // of 256 choices, how many are not about the first generation
}

var optional = []Action{Grow, Trim, Crash, Die, Build, LoseSuffix, LoseLane, Empty, EmptyOne, Restore, Unmark, Clean, Sweep, FailRuns}

// focus gives weights to what a rule is against, in worlds without it.
var focus = map[Rule]map[Action]int{
	FilesFromLowest: {Clean: 80, Tick: 120},
	FilesByChecked:  {Clean: 80, FailRuns: 5, EmptyOne: 8},
	BeginOnce:       {Unmark: 40, Late: 4, Plan: 20},
	SweepExpects:    {Sweep: 120, Unmark: 15, Wait: 32, Remove: 40},
	ManifestForward: {Build: 32, Drop: 24, Promote: 80, Manifest: 60},
	ManifestFirst:   {Build: 32, Drop: 24, Promote: 80},
	DroppedFinal:    {Build: 32, Drop: 48},

	CachedIncarnation: {Unmark: 18, LookUp: 90, Answer: 60},
	SweepGrace:        {Unmark: 18, Sweep: 120, Remove: 80, LookUp: 90},
	MarksAge:          {Unmark: 18, Sweep: 120, Remove: 80, LookUp: 90, Wait: 32},
}

// losing are the actions by which the store loses rows.
var losing = []Action{LoseSuffix, LoseLane, Empty, EmptyOne, Restore}

func randomMood(r *rand.Rand, off Set) *mood {
	m := &mood{weights: weights}
	for _, a := range optional {
		switch r.IntN(3) {
		case 0:
			m.weights[a] = 0
		case 1:
			m.weights[a] *= 2
		}
	}
	for rule := range Rules {
		if off&Without(rule) != 0 {
			for a, n := range focus[rule] {
				m.weights[a] = n
			}
		}
	}
	if off&Calm != 0 {
		for _, a := range losing {
			m.weights[a] = 0
		}
	}
	for _, n := range m.weights {
		m.total += n
	}
	if m.first = 32; m.weights[Build] > 0 {
		m.first = 128
	}
	if r.IntN(4) > 0 {
		for f := LoseReply; f < Fates; f++ {
			m.fate[f] = r.IntN(8)
		}
	}
	if off&Without(BeginOnce) != 0 {
		m.fate[Twice] = 40
	}
	return m
}

// choice draws the next choice.
func (m *mood) choice(r *rand.Rand) Choice {
	bits := r.Uint64()
	c := Choice{A: uint8(bits), B: uint8(bits >> 8), C: uint8(bits >> 16)}
	n := int(bits >> 32 % uint64(m.total))
	for n >= m.weights[c.Do] {
		n -= m.weights[c.Do]
		c.Do++
	}
	switch c.Do {
	case Fetch, Flush, ReadMarks, Exchange, Tick, Plan, Move, Clean, Sweep:
		if c.B >= m.first {
			c.B = 0
		}
	default:
	}
	if c.Do == Exchange || c.Do == Move {
		c.C = uint8(m.drawFate(int(c.C) * 100 / 256))
	}
	return c
}

func (m *mood) drawFate(n int) Fate {
	for f := LoseReply; f < Fates; f++ {
		if n < m.fate[f] {
			return f
		}
		n -= m.fate[f]
	}
	return Deliver
}

// The number of choices of a random world: of those tried, of which many do nothing in the state at hand.
const (
	minTries = 60
	maxTries = 600
)

// prelude is what processes that start before anything happens do: the first generation is created, its lanes are begun,
// and the speed layer learns of it. Most worlds begin with it.
func prelude(cfg Config, off Set) (all []Choice) {
	fate := Deliver
	if off&Without(BeginOnce) != 0 {
		fate = Twice
	}
	all = append(all, Choice{Do: Open}, Choice{Do: Plan}, Choice{Do: Manifest})
	for n := range uint8(cfg.Lanes) {
		all = append(all, Choice{Do: Move, A: n * processes}, Choice{Do: Move, A: n * processes, C: uint8(fate)})
	}
	for k := range uint8(workers) {
		all = append(all, Choice{Do: Look, A: k})
		for p := range uint8(cfg.Partitions) {
			at := k + p*workers
			all = append(all, Choice{Do: ReadMarks, A: at}, Choice{Do: Exchange, A: at}, Choice{Do: Exchange, A: at})
		}
	}
	return all
}

// Random runs the world of a seed. It returns its configuration, the choices that did anything, and the law that was
// broken, "" if none was. The choices are valid until the next world.
func (s *Simulator) Random(seed uint64, off Set) (cfg Config, choices []Choice, violation string) {
	r := rand.New(rand.NewPCG(seed, 0x7464))
	cfg = randomConfig(r)
	m := randomMood(r, off)
	w := s.World(cfg, off)
	s.choices = s.choices[:0]
	violation = w.guarded(func() {
		if r.IntN(8) > 0 {
			for _, c := range prelude(cfg, off) {
				s.try(w, c)
			}
		}
		for n := minTries + r.IntN(maxTries-minTries); n > 0 && w.Violation == ""; n-- {
			s.try(w, m.choice(r))
		}
		if w.Violation == "" {
			w.rest()
		}
	})
	return cfg, s.choices, violation
}

// try makes a choice and remembers it if it did anything.
func (s *Simulator) try(w *World, c Choice) {
	s.choices = append(s.choices, c)
	if !w.Do(c) {
		s.choices = s.choices[:len(s.choices)-1]
		return
	}
	s.Steps++
}
