package usedcar

import (
	"math/rand/v2"

	"github.com/tidemark-io/tidemark/jobs/generate"
)

// The sizes of the marketplace.
const (
	devices      = 400_000
	crawlers     = devices / 1000
	listings     = 60_000
	series       = 800
	brands       = 40
	dealers      = 900
	cities       = 300
	sessionMS    = 30 * minute
	minute       = int64(60_000)
	day          = 24 * 60 * minute
	priceChanges = 7 // in how many equal classes of listings one lowers its price each day
)

// Shares of the traffic, in 1/100,000.
const (
	shareCrawler   = 15_000
	shareMalformed = 1_000
	shareTwice     = 500
	shareVeryLate  = 200
	shareLate      = 2_000
	shareClock     = 300
	unit           = 100_000
)

type generator struct {
	r       *rand.Rand
	user    *rand.Zipf
	series  *rand.Zipf
	listing *rand.Zipf
	n       int64
	value   []byte
	key     []byte
	twice   bool // the record is appended once more
}

// New returns the generator of a seed.
func New(seed uint64) generate.Generator {
	r := generate.Rand(seed)
	return &generator{
		r:    r,
		user: rand.NewZipf(r, 1.1, 8, devices-1), series: rand.NewZipf(r, 1.05, 4, series-1), listing: rand.NewZipf(r, 1.05, 20, listings/series-1),
	}
}

// Next makes the next record.
func (g *generator) Next(now int64) generate.Record {
	if g.twice {
		g.twice = false
		return generate.Record{Key: g.key, Value: g.value}
	}
	g.n++
	e := g.event(now)
	g.key = append(g.key[:0], e.device...)
	g.value = e.appendJSON(g.value[:0])
	if g.chance(shareMalformed) {
		g.value = g.spoil(g.value)
	}
	g.twice = g.chance(shareTwice)
	return generate.Record{Key: g.key, Value: g.value}
}

func (g *generator) chance(share int) bool { return g.r.IntN(unit) < share }

// event makes a well-formed event.
func (g *generator) event(now int64) *event {
	e := &event{n: g.n, recv: now, time: g.clock(now)}
	crawler := g.chance(shareCrawler)
	if crawler {
		e.who = int64(g.r.IntN(crawlers)) * (devices / crawlers)
	} else {
		e.who = int64(g.user.Uint64())
	}
	e.device = appendID(nil, 'd', uint64(e.who)*0x9e37)
	e.kind = g.kind(crawler)
	g.visitor(e)
	if carEvent[e.kind] {
		g.car(e)
	}
	g.details(e)
	return e
}

// clock returns the device's time of an event received at now: mostly a moment ago, sometimes late, sometimes wrong.
func (g *generator) clock(now int64) int64 {
	switch {
	case g.chance(shareVeryLate):
		return max(now-day-g.r.Int64N(3*day), 0)
	case g.chance(shareLate):
		return max(now-10*minute-g.r.Int64N(120*minute), 0)
	case g.chance(shareClock):
		return [...]int64{0, 1, now + 10*minute, now + 400*day, 253_402_300_799_999}[g.r.IntN(5)]
	}
	return max(now-g.r.Int64N(2000), 0)
}

// funnel is the weight of each kind of event of an ordinary visitor.
var funnel = [kinds]int{
	impression: 10_000, view: 600, viewEnd: 500, search: 90, favorite: 40, unfavorite: 6, im: 30, call: 15, book: 3,
	dislike: 12, post: 2, subscribe: 5, unsubscribe: 2, login: 8,
}

var funnelTotal = func() (n int) {
	for _, w := range funnel {
		n += w
	}
	return n
}()

func (g *generator) kind(crawler bool) kind {
	if crawler {
		return [...]kind{impression, view, view, view}[g.r.IntN(4)]
	}
	at := g.r.IntN(funnelTotal)
	for k, w := range funnel {
		if at -= w; at < 0 {
			return kind(k)
		}
	}
	return impression
}

// visitor says who it is: 15 % of the devices are known by a user only from some day on, others always or never.
func (g *generator) visitor(e *event) {
	h := mix(uint64(e.who))
	class := h % 100
	loggedIn := class < 45 || (class < 60 && e.recv/day%30 > int64(h>>8%30))
	if loggedIn || e.kind == login {
		e.user = appendID(nil, 'u', h>>3)
	}
	e.session = uint64(e.recv/sessionMS)*1_000_003 + uint64(e.who)
	e.platform = int(h >> 16 % uint64(len(platforms)))
	e.city = int64(h>>24%cities) + 1
	if g.r.IntN(50) == 0 {
		e.city = 0 // not known
	}
}

// car chooses the listing: visitors keep to a few series, and to the popular ones.
func (g *generator) car(e *event) {
	s := g.series.Uint64()
	if g.r.IntN(3) > 0 {
		s = mix(uint64(e.who)+uint64(g.r.IntN(3))) % 100 * (series / 100) // one of the three that the visitor likes
	}
	e.listing = int64(s)*(listings/series) + int64(g.listing.Uint64())
	h := mix(uint64(e.listing) + 1<<40)
	e.series = int64(s) + 1
	e.brand = int64(s)%brands + 1
	e.price = int64(2+h%60)*1_000_000 + int64(h>>8%1000)*1000
	if e.listing%priceChanges == 0 {
		e.price -= e.recv / day % 10 * (e.price / 100) // lowered day by day, then put up again
	}
	e.mileage = int64(h >> 20 % 200_000)
	e.reg = 2008*12 + int64(h>>30%200)
	e.seller = int(h >> 40 % 2)
	e.dealer = int64(h >> 44 % dealers)
	e.itemCity = int64(h>>50%cities) + 1
	e.shape = h
}

// details adds what single kinds of events carry.
func (g *generator) details(e *event) {
	switch e.kind {
	case impression:
		e.position = int64(g.r.IntN(40)) + 1
	case viewEnd:
		e.dwell = int64(g.r.ExpFloat64() * 25_000)
	case call:
		e.seconds = int64(g.r.ExpFloat64()*90) + 1
	case im:
		e.messages = int64(g.r.IntN(12)) + 1
	case search:
		e.query = queries[g.r.IntN(len(queries))]
	default:
	}
	e.request = uint64(g.r.Int64())
	if e.kind == subscribe || e.kind == unsubscribe {
		e.query = queries[e.request%uint64(len(queries))]
	}
}

var queries = [...]string{"suv", "宝马3系", "\"7 座\"", "电动 city car", "under 100k", "семейный", "a/b\\c", "二手 奥迪 A4L", "🚗", ""}

// spoil makes a record malformed in one of the ways seen in real logs.
func (g *generator) spoil(v []byte) []byte {
	switch g.r.IntN(8) {
	case 0:
		return v[:len(v)/2]
	case 1:
		return append(v, '}')
	case 2:
		return v[:0]
	case 3:
		return append(v[:0], `[1,2,3]`...)
	case 4:
		v[len(v)/2] = 0xff
		return v
	case 5:
		return append(v[:0], `{"event_id":"x","event_type":"view","event_time":"yesterday"}`...)
	case 6:
		return append(v[:len(v)-1], `,"price_cent":"cheap","dwell_ms":1.5}`...)
	}
	return append(v[:len(v)-1], `,"platform":"toaster","extra":{"a":[1,2,{"b":null}]}}`...)
}

// mix is splitmix64's finisher: the fixed attributes of a visitor or listing come from its number.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
