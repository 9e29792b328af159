//go:build crashpoints

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark-io/tidemark/jobs/generate"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/testdata/witness"
)

// How clients behave.
const (
	clientCount  = 6
	clientPace   = 120 * time.Millisecond // between two looks
	clientLimit  = 5 * time.Minute        // for an event to be claimed, whatever happens meanwhile
	clientAnswer = 8 * time.Second        // for one request
	clientPrefix = "witness-"
)

// trouble is the first thing that went wrong beside the test's own goroutine.
type troubles struct {
	mu  sync.Mutex
	err error
}

func (t *troubles) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

func (t *troubles) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// steady appends generated events at a rate, whatever becomes of the log meanwhile.
type steady struct {
	troubles
	client  *kafkalog.Client
	topic   string
	next    func(now int64) generate.Record
	perTick int // records
	sent    atomic.Int64
	ended   atomic.Bool // no more is to be sent
}

const trafficTick = 20 * time.Millisecond

// rate is how many records are appended in a second.
func (t *steady) rate() int64 { return int64(t.perTick) * int64(time.Second/trafficTick) }

// appendTimeout bounds one call to append: a broker is restarted within it.
const appendTimeout = 5 * time.Minute

func (t *steady) run(ctx context.Context) {
	p, err := t.client.NewProducer(t.topic, kafkalog.ProducerConfig{Timeout: appendTimeout})
	if err != nil {
		t.fail(err)
		return
	}
	pace := time.NewTicker(trafficTick)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		if t.ended.Load() {
			return
		}
		var batch []kafkalog.Message
		for range t.perTick {
			r := t.next(time.Now().UnixMilli())
			batch = append(batch, kafkalog.Message{Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...), Partition: kafkalog.ByKey})
		}
		if err := p.Produce(ctx, batch); err != nil {
			if ctx.Err() == nil {
				t.fail(fmt.Errorf("appending traffic: %w", err))
			}
			return
		}
		t.sent.Add(int64(len(batch)))
	}
}

// tail reads the log as it grows, and knows where the clients' events lie.
type tail struct {
	troubles
	client *kafkalog.Client
	topic  string

	mu  sync.Mutex
	log map[string]*witness.Entity // by client
	at  map[string]int64           // where an event lies first, by its id
}

func newTail(c *kafkalog.Client, topic string) *tail {
	return &tail{client: c, topic: topic, log: map[string]*witness.Entity{}, at: map[string]int64{}}
}

func (l *tail) run(ctx context.Context) {
	t, err := l.client.Topic(ctx, l.topic)
	if err != nil {
		l.fail(err)
		return
	}
	wants := make([]kafkalog.Want, len(t.Partitions))
	for i, p := range t.Partitions {
		wants[i] = kafkalog.Want{Partition: p}
	}
	f := l.client.NewFetcher(t)
	defer f.Close()
	for ctx.Err() == nil {
		all, err := f.Fetch(ctx, wants, clientPace)
		if err != nil && !kafkalog.Transient(err) && ctx.Err() == nil {
			l.fail(fmt.Errorf("reading the log back: %w", err))
			return
		}
		for i := range all {
			if got := &all[i]; got.Err == nil {
				l.take(got)
				wants[got.Partition].Offset = got.Next
			} else if !kafkalog.Transient(got.Err) {
				l.fail(fmt.Errorf("reading the log back: %w", got.Err))
				return
			}
		}
	}
}

// clientEvent is what a client appends.
type clientEvent struct {
	ID     string `json:"event_id"`
	Time   int64  `json:"event_time"`
	Type   string `json:"event_type"`
	Device string `json:"device_id"`
	Sent   int64  `json:"position"` // ns since the beginning: a field of the source that no feature uses
}

func (l *tail) take(got *kafkalog.Fetched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range got.Records {
		r := &got.Records[i]
		if !strings.HasPrefix(string(r.Key), clientPrefix) {
			continue
		}
		var e clientEvent
		if err := json.Unmarshal(r.Value, &e); err != nil {
			l.fail(err)
			return
		}
		entity := l.log[e.Device]
		if entity == nil {
			entity = &witness.Entity{Partition: "events/" + strconv.Itoa(int(got.Partition))}
			l.log[e.Device] = entity
		}
		value := int64(0)
		if e.Type == "view" {
			value = 1
		}
		entity.Events = append(entity.Events, witness.Event{Offset: r.Offset, Sent: time.Duration(e.Sent), Time: min(e.Time, r.Append), Value: value})
		if _, twice := l.at[e.ID]; !twice {
			l.at[e.ID] = r.Offset
		}
	}
}

// where returns where an event lies, once it was read back.
func (l *tail) where(device, id string) (partition string, offset int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offset, ok = l.at[id]
	if ok {
		partition = l.log[device].Partition
	}
	return partition, offset, ok
}

// clients append events and read profiles, each about an entity of its own and now and then about another's.
type clients struct {
	troubles
	farm *farm
	http *http.Client
	stop atomic.Bool // each ends when its event is claimed

	mu       sync.Mutex
	reads    []witness.Read
	losses   []witness.Loss
	appended int
	refused  int // requests that were not answered: nobody was there, or could not
	waited   []time.Duration
	done     sync.WaitGroup
}

func newClients(f *farm) *clients {
	return &clients{farm: f, http: &http.Client{Timeout: clientAnswer, Transport: &http.Transport{MaxIdleConnsPerHost: clientCount}}}
}

func (c *clients) run(ctx context.Context) {
	for i := range clientCount {
		c.done.Go(func() {
			if err := c.live(ctx, i); err != nil && ctx.Err() == nil {
				c.fail(err)
			}
		})
	}
	c.done.Wait()
}

// live is one client: append, wait for the claim, again.
func (c *clients) live(ctx context.Context, number int) error {
	p, err := c.farm.client.NewProducer(c.farm.source.Topic, kafkalog.ProducerConfig{Timeout: appendTimeout})
	if err != nil {
		return err
	}
	me := clientPrefix + strconv.Itoa(number)
	last := int64(0)
	for n := 0; !c.stop.Load() && ctx.Err() == nil; n++ {
		// Event times differ, and lie before what the broker will say, which bounds them.
		e := clientEvent{ID: me + ":" + strconv.Itoa(n), Device: me, Type: "view", Sent: int64(c.now())}
		if e.Time = max(time.Now().UnixMilli()-1000, last+1); n%3 == 2 {
			e.Type = "impression"
		}
		last = e.Time
		value, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := p.Produce(ctx, []kafkalog.Message{{Key: []byte(me), Value: value, Partition: kafkalog.ByKey}}); err != nil {
			return fmt.Errorf("client %s appending: %w", me, err)
		}
		if err := c.awaitClaim(ctx, number, &e); err != nil {
			return err
		}
	}
	return nil
}

// awaitClaim reads until an answer's frontier passes the event. That the event is in it is the witness's to say.
func (c *clients) awaitClaim(ctx context.Context, number int, e *clientEvent) error {
	start := time.Now()
	last := ""
	for ctx.Err() == nil {
		if time.Since(start) > clientLimit {
			return fmt.Errorf("client %s waited %v for event %s to be claimed: %s", e.Device, clientLimit, e.ID, last)
		}
		r, err := c.read(e.Device, e.Device)
		if err != nil {
			last = err.Error()
		} else {
			partition, offset, known := c.farm.tail.where(e.Device, e.ID)
			if last = fmt.Sprintf("%d events, %q, %v; it lies at %d of %s", r.Events, r.Reason, r.Frontier, offset, partition); known && r.Reason == "" && r.Frontier[partition] > offset {
				c.claimed(time.Since(start))
				return nil
			}
		}
		other := clientPrefix + strconv.Itoa((number+1+int(time.Since(start)/clientPace))%clientCount)
		if _, err := c.read(e.Device, other); err != nil {
			last = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-time.After(clientPace):
		}
	}
	return nil
}

func (c *clients) claimed(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appended++
	c.waited = append(c.waited, after)
}

// now is the clock of the history.
func (c *clients) now() time.Duration { return time.Since(c.farm.begun) }

// read asks for the profile of a client's entity and writes down the answer. No answer is none.
func (c *clients) read(who, about string) (witness.Read, error) {
	r := witness.Read{Client: who, Entity: about, Began: c.now()}
	a, err := c.ask("user", "device_id:"+about)
	r.Ended = c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.refused++
		return r, err
	}
	r.Events, r.Frontier, r.Reason = a.Events, a.Frontier, a.reason()
	if r.Sum, err = a.views(); err != nil {
		return r, err
	}
	if a.Newest != nil {
		r.Newest = a.Newest.UnixMilli()
	}
	c.reads = append(c.reads, r)
	return r, nil
}

// askedFeature is one that both views have: how many events are views.
const askedFeature = "view_cnt_all"

// lookedUp is what is read of an answer.
type lookedUp struct {
	Events   int64            `json:"events"`
	Newest   *time.Time       `json:"newest"`
	Degraded *string          `json:"degraded"`
	Frontier map[string]int64 `json:"frontier"`
	Features map[string]struct {
		Value json.RawMessage `json:"value"`
	} `json:"features"`
}

// reason is the part of degraded that programs read.
func (a *lookedUp) reason() string {
	if a.Degraded == nil {
		return ""
	}
	reason, _, _ := strings.Cut(*a.Degraded, ":")
	return reason
}

func (a *lookedUp) views() (int64, error) {
	return strconv.ParseInt(string(a.Features[askedFeature].Value), 10, 64)
}

// errNotAnswered is why a client has no answer: a process is away, or says that something it needs is.
var errNotAnswered = errors.New("not answered")

// ask looks one profile up. Errors are of class errNotAnswered.
func (c *clients) ask(view, key string) (*lookedUp, error) {
	url := fmt.Sprintf("http://%s/v1/jobs/usedcar/views/%s/profiles/%s?frontier=1&features=%s", c.farm.address, view, key, askedFeature)
	res, err := c.http.Get(url)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotAnswered, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %w", errNotAnswered, errors.Join(err, fmt.Errorf("%d %.200s", res.StatusCode, b)))
	}
	var a lookedUp
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("%w: %w: %.200s", errNotAnswered, err, b)
	}
	return &a, nil
}

// lost writes down that the store lost data between two times; of all entities where none is named.
func (c *clients) lost(from time.Duration, entities ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.losses = append(c.losses, witness.Loss{From: from, To: c.now(), Entities: entities})
}

// filled writes down that what had to be filled again because of the losses so far was.
func (c *clients) filled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.losses {
		if l := &c.losses[i]; l.Filled == 0 {
			l.Filled = c.now()
		}
	}
}

// reasons counts the answers that claimed nothing, by reason.
func (c *clients) reasons() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for i := range c.reads {
		if r := c.reads[i].Reason; r != "" {
			out[r]++
		}
	}
	return out
}

// seen counts the answers about some entities, asked for after a time, by the reason why they claimed nothing; empty: they did.
func (c *clients) seen(since time.Duration, about func(entity string) bool) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for i := range c.reads {
		if r := &c.reads[i]; r.Began >= since && about(r.Entity) {
			out[r.Reason]++
		}
	}
	return out
}

// judge holds everything that clients saw against the log.
func (c *clients) judge() []witness.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.farm.tail.mu.Lock()
	defer c.farm.tail.mu.Unlock()
	h := witness.History{
		Log: c.farm.tail.log, Reads: c.reads, Losses: c.losses, Cache: lookup.DefaultCache,
		Reasons: []string{lookup.ReasonNotBegun, lookup.ReasonFilling, lookup.ReasonDamaged, lookup.ReasonDropped, lookup.ReasonSlow},
	}
	return h.Check()
}
