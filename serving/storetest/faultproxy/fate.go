package faultproxy

import (
	"math/rand/v2"
	"time"
)

// Fate is what becomes of a request or an answer.
type Fate int

// The fates. After a lost or half one the connection is closed; a late one arrives, whoever still waits.
const (
	None Fate = iota
	LostRequest
	HalfRequest
	LateRequest
	LostAnswer
	HalfAnswer
	LateAnswer
	Fates // the number of kinds
)

// Counts is how often each fate but None was met.
type Counts [Fates]int

// odds are those of faults at random.
type odds struct {
	rand  *rand.Rand
	oneIn int
	late  time.Duration
}

// Random lets one in so many requests and answers, at random, be lost, cut in half or come late by the time given; 0
// ends it. The same seed makes the same choices; which request meets them is for the scheduler to say.
func (p *Proxy) Random(seed uint64, oneIn int, late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.odds = nil; oneIn > 0 {
		p.odds = &odds{rand.New(rand.NewPCG(seed, 0)), oneIn, late}
	}
}

// Counts returns how often each fate was met since the start.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

func (p *Proxy) requestFate() (Fate, time.Duration, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate != nil {
		p.held++
	}
	fate, late := p.draw(LostRequest, LateRequest)
	if late > 0 || p.gate != nil {
		p.late++
	}
	return fate, late, p.gate
}

func (p *Proxy) answerFate() (Fate, time.Duration, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts > 0 {
		p.cuts--
		p.counts[LostAnswer]++
		return LostAnswer, 0, nil
	}
	fate, late := p.draw(LostAnswer, LateAnswer)
	if late += p.delay; late > 0 {
		p.late++
	}
	return fate, late, nil
}

// draw chooses among the fates from first to last, of which last is the late one.
func (p *Proxy) draw(first, last Fate) (Fate, time.Duration) {
	if p.odds == nil || p.odds.rand.IntN(p.odds.oneIn) > 0 {
		return None, 0
	}
	fate := first + Fate(p.odds.rand.IntN(int(last-first)+1))
	p.counts[fate]++
	if fate == last {
		return fate, p.odds.late
	}
	return fate, 0
}
