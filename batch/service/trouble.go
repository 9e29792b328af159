package service

import "regexp"

// maxTold is how many troubles are remembered to have been told.
const maxTold = 64

// ownPort is what differs each time that a connection breaks: the port of ours that it began at.
var ownPort = regexp.MustCompile(`:\d+->`)

// trouble tells of errors that are tried again: of each once, until all is well.
type trouble struct {
	s    *Service
	told map[string]bool // by text, without what differs each time
}

func (t *trouble) observe(err error) {
	if err == nil {
		if len(t.told) > 0 {
			clear(t.told)
			t.s.tell(Event{Kind: EventRecovered})
		}
		return
	}
	text := ownPort.ReplaceAllString(err.Error(), "->")
	if t.told[text] {
		return
	}
	if t.told == nil || len(t.told) == maxTold {
		t.told = map[string]bool{}
	}
	t.told[text] = true
	t.s.tell(Event{Kind: EventTrouble, Err: err})
}
