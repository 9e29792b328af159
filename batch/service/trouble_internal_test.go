package service

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
)

// TestTroubleIsToldOnce: troubles that take turns are told of once each, until all is well; the port at which a connection
// began makes no other trouble. What differs each time does not fill memory.
func TestTroubleIsToldOnce(t *testing.T) {
	var told []string
	s := &Service{cfg: Config{Logger: slog.New(slog.DiscardHandler), Events: func(e Event) {
		text := string(e.Kind)
		if e.Err != nil {
			text = e.Err.Error()
		}
		told = append(told, text)
	}}}
	trouble := &trouble{s: s}
	trouble.observe(nil)
	refused := errors.New("dial tcp 10.0.0.1:6379: connection refused")
	for port := range 3 {
		trouble.observe(refused)
		trouble.observe(fmt.Errorf("read tcp 10.0.0.2:%d->10.0.0.1:6379: i/o timeout", 40000+port))
		trouble.observe(fmt.Errorf("lane %d is damaged", port))
	}
	if len(told) != 5 {
		t.Errorf("of 5 troubles it told %q", told)
	}
	trouble.observe(nil)
	trouble.observe(nil)
	trouble.observe(refused)
	if len(told) != 7 || told[5] != string(EventRecovered) || told[6] != refused.Error() {
		t.Errorf("after a recovery it told %q", told)
	}
	for i := range 2*maxTold + 1 {
		trouble.observe(fmt.Errorf("attempt %d", i))
	}
	if len(trouble.told) > maxTold || len(told) != 7+2*maxTold+1 {
		t.Errorf("%d troubles are remembered, at most %d should be; %d were told", len(trouble.told), maxTold, len(told))
	}
}
