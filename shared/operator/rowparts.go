package operator

import "github.com/tidemark-io/tidemark/shared/invariant"

// rowParts are the states that were merged into a row which is read, for a reader that leaves what it does not understand
// to ordinary states.
type rowParts struct {
	make  func() States
	parts []rowPart
	spare States // ordinary states; nil before they are needed for the first time
	plain States // what answers for this row, if it was left; otherwise nil
}

// rowPart is a state that was merged. Its bytes are those given to Merge.
type rowPart struct {
	state  []byte
	newest int64
}

// merge is States.Merge: read reads the last of parts, and returns false if it cannot.
func (s *rowParts) merge(slot int32, state []byte, newest int64, read func(state []byte, newest int64) bool) error {
	if len(state) == 0 {
		return nil
	}
	if s.plain != nil {
		return s.plain.Merge(slot, state, newest)
	}
	s.parts = append(s.parts, rowPart{state, newest})
	if read(state, newest) {
		return nil
	}
	return s.leave(slot)
}

// leave merges all parts into ordinary states, which answer from then on.
func (s *rowParts) leave(slot int32) error {
	if s.spare == nil {
		s.spare = s.make()
	}
	s.plain = s.spare
	s.plain.Reset()
	s.plain.Grow(int(slot) + 1)
	for _, p := range s.parts {
		if err := s.plain.Merge(slot, p.state, p.newest); err != nil {
			return err
		}
	}
	return nil
}

// appendState is States.AppendState: ordinary states write what rows do not.
func (s *rowParts) appendState(dst []byte, slot int32, newest int64) []byte {
	if s.plain == nil {
		if err := s.leave(slot); err != nil {
			invariant.Fail("a state was read that is refused: %v", err)
		}
	}
	return s.plain.AppendState(dst, slot, newest)
}

// forget forgets all parts.
func (s *rowParts) forget() {
	clear(s.parts) // their bytes may go
	s.parts, s.plain = s.parts[:0], nil
}
