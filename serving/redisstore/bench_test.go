package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
)

const (
	benchLanes = 16
	benchRows  = 1000 // rows of a lane that flushes go round in
	tileBytes  = 250
	baseBytes  = 3500
)

// BenchmarkFlush is a flush of 16 lanes with T tiles each and their marks, and beside it the same writes without a
// fence: HSET and SET in one pipeline. server-µs/lane is the processor time that the server says it took.
func BenchmarkFlush(b *testing.B) {
	srv := redisserver.Start(b, "--hash-max-listpack-value", "65536", "--hash-max-listpack-entries", "128")
	s, c := open(b, srv.Addr), raw(b, srv.Addr)
	tile := make([]byte, tileBytes)
	for _, tiles := range []int{0, 1, 5, 25, 100} {
		calls := make([]lane.Call, benchLanes)
		step := 0
		fill := func() {
			for n := range calls {
				calls[n] = lane.Call{
					Lane: lane.ID{Namespace: fmt.Sprintf("bench:%d", tiles), N: n}, Name: "events/0", RowsOf: inc,
					Set: string(inc) + " j " + strconv.Itoa(step+1) + " 0",
				}
				if step > 0 {
					calls[n].Expect = string(inc) + " j " + strconv.Itoa(step) + " 0"
				}
				for i := range tiles {
					key := []byte("u" + strconv.Itoa((step*tiles+i)%benchRows))
					calls[n].Rows = append(calls[n].Rows, lane.RowChange{Key: key, Set: []lane.Field{{Name: "e0/0/65536", Value: tile}}})
				}
			}
			step++
		}
		b.Run(fmt.Sprintf("T=%d/call", tiles), func(b *testing.B) {
			measure(b, c, func() {
				fill()
				wantApplied(b, s.Apply(bg, calls))
			})
		})
		b.Run(fmt.Sprintf("T=%d/unfenced", tiles), func(b *testing.B) {
			measure(b, c, func() {
				fill()
				unfenced(b, c, calls)
			})
		})
	}
}

// unfenced writes what calls write, whatever the marks are, under keys of its own.
func unfenced(b *testing.B, c *redis.Client, calls []lane.Call) {
	b.Helper()
	pipe := c.Pipeline()
	for i := range calls {
		prefix := "plain:" + calls[i].Lane.String() + ":"
		for _, r := range calls[i].Rows {
			pipe.HSet(bg, prefix+string(r.Key), r.Set[0].Name, r.Set[0].Value)
		}
		pipe.Set(bg, prefix+"mark", calls[i].Set, 0)
	}
	if _, err := pipe.Exec(bg); err != nil {
		b.Fatal(err)
	}
}

// measure runs step and reports the server's time per lane.
func measure(b *testing.B, c *redis.Client, step func()) {
	b.Helper()
	b.ReportAllocs()
	before := serverCPU(b, c)
	for b.Loop() {
		step()
	}
	b.ReportMetric((serverCPU(b, c)-before)*1e6/float64(b.N)/benchLanes, "server-µs/lane")
}

// serverCPU returns the processor time, in seconds, that the server has taken.
func serverCPU(b *testing.B, c *redis.Client) float64 {
	b.Helper()
	info, err := c.Info(bg, "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	sum := 0.0
	for _, name := range []string{"used_cpu_sys:", "used_cpu_user:"} {
		_, rest, _ := strings.Cut(info, "\n"+name)
		value, _, _ := strings.Cut(rest, "\r")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += v
	}
	return sum
}

// BenchmarkRead reads 16 rows with a base and three tiles each: by values, and with marks of one instant.
func BenchmarkRead(b *testing.B) {
	srv := redisserver.Start(b, "--hash-max-listpack-value", "65536", "--hash-max-listpack-entries", "128")
	s := open(b, srv.Addr)
	rows := make([]lane.RowID, 16)
	for i := range rows {
		rows[i] = lane.RowID{Lane: lane.ID{Namespace: "bench", N: i}, Incarnation: inc, Key: []byte("k")}
		r := lane.RowChange{Key: []byte("k"), Set: []lane.Field{{Name: "b1", Value: make([]byte, baseBytes)}}}
		for t := range 3 {
			r.Set = append(r.Set, lane.Field{Name: "e0/0/" + strconv.Itoa(t), Value: make([]byte, tileBytes)})
		}
		wantApplied(b, s.Apply(bg, []lane.Call{{Lane: rows[i].Lane, Name: "x", Set: "y", RowsOf: inc, Rows: []lane.RowChange{r}}}))
	}
	b.Run("rows", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Rows(bg, rows); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("exact", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Exact(bg, rows); err != nil {
				b.Fatal(err)
			}
		}
	})
}
