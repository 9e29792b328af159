package usedcar

import (
	"encoding/json"
	"strconv"
)

// kind is an event_type.
type kind int

const (
	impression kind = iota
	view
	viewEnd
	search
	favorite
	unfavorite
	im
	call
	book
	dislike
	post
	subscribe
	unsubscribe
	login
	kinds
)

var kindNames = [kinds]string{
	"impression", "view", "view_end", "search", "favorite", "unfavorite", "im", "call", "book", "dislike", "post",
	"subscribe", "unsubscribe", "login",
}

// carEvent tells which kinds are about a listing.
var carEvent = [kinds]bool{
	impression: true, view: true, viewEnd: true, favorite: true, unfavorite: true, im: true, call: true, book: true,
	dislike: true, post: true,
}

var (
	platforms = [...]string{"app_ios", "app_android", "m_web", "pc_web", "mini_program"}
	pages     = [...]string{"home", "list", "detail", "search", "favorites", "im", "publish", "mine", "push"}
	bodies    = [...]string{"sedan", "suv", "mpv", "hatchback", "coupe", "pickup", "van", "wagon", "convertible"}
	gearboxes = [...]string{"manual", "automatic", "cvt", "dct", "amt"}
	fuels     = [...]string{"petrol", "diesel", "hybrid", "phev", "electric", "range_extender", "gas"}
	emissions = [...]string{"china_2", "china_3", "china_4", "china_5", "china_6"}
	sellers   = [...]string{"personal", "dealer"}
	pageOf    = [kinds]int{impression: 1, view: 2, viewEnd: 2, search: 3, favorite: 2, unfavorite: 4, im: 5, call: 2, book: 2, dislike: 1, post: 6, subscribe: 3, unsubscribe: 7, login: 7}
)

// event is one event before it is written. Zero numbers and empty strings are fields that the event lacks.
type event struct {
	n          int64
	who        int64
	kind       kind
	time, recv int64
	user       []byte
	device     []byte
	session    uint64
	platform   int
	city       int64
	position   int64
	request    uint64

	listing, brand, series   int64
	price, mileage, reg      int64
	itemCity, dealer         int64
	seller                   int
	shape                    uint64
	dwell, seconds, messages int64
	query                    string
}

func appendID(b []byte, prefix byte, n uint64) []byte {
	return strconv.AppendUint(append(b, prefix), n%1_000_000_007, 36)
}

func (e *event) appendJSON(b []byte) []byte {
	b = append(b, `{"event_id":"e`...)
	b = strconv.AppendInt(b, e.n, 36)
	b = append(b, `","event_time":`...)
	b = strconv.AppendInt(b, e.time, 10)
	b = num(b, "recv_time", e.recv)
	b = str(b, "event_type", kindNames[e.kind])
	if e.user == nil {
		b = append(b, `,"user_id":null`...)
	} else {
		b = str(b, "user_id", string(e.user))
	}
	b = str(b, "device_id", string(e.device))
	b = str(b, "session_id", "s"+strconv.FormatUint(e.session, 36))
	b = str(b, "platform", platforms[e.platform])
	b = num(b, "city_id", e.city)
	b = str(b, "page", pages[pageOf[e.kind]])
	b = num(b, "position", e.position)
	b = str(b, "request_id", "r"+strconv.FormatUint(e.request, 36))
	if carEvent[e.kind] {
		b = e.appendCar(b)
	}
	b = num(b, "dwell_ms", e.dwell)
	b = num(b, "call_sec", e.seconds)
	b = num(b, "im_msgs", e.messages)
	switch e.kind {
	case unsubscribe:
		b = str(b, "query", e.query)
	case search, subscribe:
		b = str(b, "query", e.query)
		b = append(b, `,"filters":{"price":[0,`...)
		b = strconv.AppendInt(b, e.n%50, 10)
		b = append(b, `],"fuel":"electric"}`...)
	case login:
		b = append(b, `,"link":{"from_id":"`...)
		b = append(b, e.device...)
		b = append(b, `","to_id":"`...)
		b = append(b, e.user...)
		b = append(b, `"}`...)
	default:
	}
	return append(b, '}')
}

// appendCar writes the snapshot of the car at the time of the event.
func (e *event) appendCar(b []byte) []byte {
	h := e.shape
	b = str(b, "listing_id", "l"+strconv.FormatInt(e.listing, 36))
	b = num(b, "brand_id", e.brand)
	b = num(b, "series_id", e.series)
	b = num(b, "model_id", e.series*10+int64(h>>4%10))
	b = num(b, "price_cent", e.price)
	b = num(b, "mileage_km", e.mileage)
	b = num(b, "reg_month", e.reg)
	b = num(b, "item_city", e.itemCity)
	b = str(b, "body", bodies[h>>12%uint64(len(bodies))])
	b = str(b, "gearbox", gearboxes[h>>15%uint64(len(gearboxes))])
	b = str(b, "fuel", fuels[h>>18%uint64(len(fuels))])
	b = str(b, "emission", emissions[h>>22%uint64(len(emissions))])
	if fuel := fuels[h>>18%uint64(len(fuels))]; fuel != "electric" {
		b = num(b, "disp_ml", 1000+int64(h>>26%20)*100)
	}
	b = str(b, "seller", sellers[e.seller])
	if e.seller == 1 {
		b = str(b, "dealer_id", "dl"+strconv.FormatInt(e.dealer, 36))
	}
	return b
}

// num appends a number, unless it is 0: the event lacks it.
func num(b []byte, name string, v int64) []byte {
	if v == 0 {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, v, 10)
}

func str(b []byte, name, v string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	for i := range len(v) {
		if c := v[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			q, err := json.Marshal(v)
			if err != nil {
				return append(b, "null"...) // a string always marshals
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}
