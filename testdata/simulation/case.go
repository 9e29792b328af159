package simulation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrCase is the class of errors about a text that is no case.
var ErrCase = errors.New("no case of the simulation")

// Case is a world and what happened in it, as text:
//
//	# why it is kept
//	without compare-mark,one-call      (only of a case that shows what rules are for)
//	world lanes=1 entities=2 …
//	append 0 1 0
//	…
type Case struct {
	Why     string
	Off     Set
	Config  Config
	Choices []Choice
}

// String returns the case as text.
func (c *Case) String() string {
	var b strings.Builder
	for line := range strings.Lines(c.Why) {
		b.WriteString("# " + strings.TrimSuffix(line, "\n") + "\n")
	}
	if c.Off != 0 {
		b.WriteString("without " + c.Off.String() + "\n")
	}
	b.WriteString(c.Config.String() + "\n")
	for _, choice := range c.Choices {
		b.WriteString(choice.String() + "\n")
	}
	return b.String()
}

// ParseCase reads what String writes. Errors are of class ErrCase and name the line.
func ParseCase(text string) (*Case, error) {
	c := &Case{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if err := c.parse(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return c, nil
}

func (c *Case) parse(line string) (err error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "#":
		c.Why += rest + "\n"
	case "without":
		c.Off, err = parseSet(rest)
	case "world":
		c.Config, err = parseConfig(line)
	default:
		at := slices.Index(actionNames[:], word)
		choice := Choice{Do: Action(max(at, 0))}
		if _, scanned := fmt.Sscanf(rest, "%d %d %d", &choice.A, &choice.B, &choice.C); at < 0 || scanned != nil {
			return fmt.Errorf("%w: %q", ErrCase, line)
		}
		c.Choices = append(c.Choices, choice)
	}
	return err
}
