package position

import "fmt"

// MarshalText returns the form of String, so that a Cut reads well as JSON.
func (p Partition) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText writes, and nothing that only resembles it ("events/04"): two texts never name
// one partition.
func (p *Partition) UnmarshalText(text []byte) error {
	q, err := ParsePartition(string(text))
	if err != nil {
		return err
	}
	if q.String() != string(text) {
		return fmt.Errorf("parsing partition %q: the canonical form is %q", text, q)
	}
	*p = q
	return nil
}
