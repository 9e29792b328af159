package simulation

import "slices"

// Shrink leaves out choices, in larger and then in smaller pieces, as long as what is left still breaks a law, and returns
// what cannot be left out any more.
func (s *Simulator) Shrink(cfg Config, off Set, choices []Choice) []Choice {
	least := slices.Clone(choices)
	for size := len(least) / 2; size > 0; {
		shorter := s.without(cfg, off, least, size)
		if len(shorter) == len(least) {
			size /= 2
			continue
		}
		least = shorter
		size = min(size, len(least))
	}
	return least
}

// without tries to leave out each piece of a size.
func (s *Simulator) without(cfg Config, off Set, choices []Choice, size int) []Choice {
	for at := len(choices); at > 0; {
		from := max(at-size, 0)
		trial := slices.Concat(choices[:from], choices[at:])
		if s.Run(cfg, off, trial) != "" {
			choices = trial
		}
		at = from
	}
	return choices
}

// maxPlain bounds the arguments that Plain tries.
const maxPlain = 16

// Plain makes the arguments of choices as small as they can be while a law is still broken.
func (s *Simulator) Plain(cfg Config, off Set, choices []Choice) []Choice {
	plain := slices.Clone(choices)
	for i := range plain {
		for _, arg := range []*uint8{&plain[i].A, &plain[i].B, &plain[i].C} {
			for was, v := *arg, uint8(0); v < min(was, maxPlain); v++ {
				if *arg = v; s.Run(cfg, off, plain) != "" {
					break
				}
				*arg = was
			}
		}
	}
	return plain
}
