// Package fuzzing lets a fuzz target run in two ways: guided by coverage, as go test -fuzz does, and in bulk, where each of
// its seeds is mutated at random for a while. Guided, a target finds the odd path at some ten thousand executions a second,
// most of which the engine takes; in bulk it looks around the places that are known at the speed of the code itself.
package fuzzing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Variables that turn on the bulk: how long each seed is mutated (a duration), and which numbers are drawn (default 1).
const (
	Bulk = "TIDEMARK_FUZZ_BULK"
	Seed = "TIDEMARK_FUZZ_SEED"
)

// Target is f.Fuzz(fn), and the bulk of it where that is asked for. At its end the bulk logs "executions: N". fn's arguments
// behind the *testing.T may be what f.Fuzz takes, but floats. A call that fails is logged with its arguments.
func Target(f *testing.F, fn any) {
	f.Helper()
	text := os.Getenv(Bulk)
	if text == "" {
		f.Fuzz(fn)
		return
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		f.Fatalf("%s: %v", Bulk, err)
	}
	first := uint64(1)
	if text := os.Getenv(Seed); text != "" {
		if first, err = strconv.ParseUint(text, 10, 64); err != nil {
			f.Fatalf("%s: %v", Seed, err)
		}
	}
	b := &bulk{fn: reflect.ValueOf(fn), long: long, random: rand.New(rand.NewPCG(first, 0))}
	f.Cleanup(func() { f.Logf("executions: %d", b.executions) })
	f.Fuzz(reflect.MakeFunc(b.fn.Type(), b.seed).Interface())
}

// bulk mutates the seeds of one target.
type bulk struct {
	fn         reflect.Value
	long       time.Duration
	random     *rand.Rand
	executions int64
	args       []reflect.Value // those of the call under way
}

// batch is how many calls are made between two looks at the clock.
const batch = 64

// seed runs a seed as it is and then mutated.
func (b *bulk) seed(seed []reflect.Value) []reflect.Value {
	t := seed[0].Interface().(*testing.T) //nolint:errcheck // f.Fuzz takes no other function
	b.args = seed
	defer b.caught(t)
	b.call(t)
	b.args = make([]reflect.Value, len(seed))
	b.args[0] = seed[0]
	for end := time.Now().Add(b.long); time.Now().Before(end); {
		for range batch {
			for i := 1; i < len(seed); i++ {
				b.args[i] = b.mutated(seed[i])
			}
			b.call(t)
		}
	}
	return nil
}

func (b *bulk) call(t *testing.T) {
	b.executions++
	if b.fn.Call(b.args); t.Failed() {
		t.FailNow()
	}
}

// caught logs what the call was given that failed.
func (b *bulk) caught(t *testing.T) {
	r := recover()
	if r != nil {
		t.Errorf("panic: %v\n%s", r, debug.Stack())
	}
	if t.Failed() {
		args := make([]string, len(b.args)-1)
		for i, a := range b.args[1:] {
			args[i] = fmt.Sprintf("%#v", a.Interface())
		}
		t.Log("called with", strings.Join(args, ", "))
	}
}

// mutated returns a value near v.
func (b *bulk) mutated(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Bool:
		out.SetBool(b.random.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		out.SetInt(int64(b.number(uint64(v.Int()))))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out.SetUint(b.number(v.Uint()))
	case reflect.String:
		out.SetString(string(Mutate(b.random, []byte(v.String()))))
	default:
		out.SetBytes(Mutate(b.random, v.Bytes()))
	}
	return out
}

// edges are numbers where code turns.
var edges = []uint64{
	0, 1, 7, 8, 9, 127, 128, 255, 256, math.MaxInt16, math.MaxUint16, math.MaxInt32, math.MaxUint32, 1 << 32,
	math.MaxInt64, math.MaxUint64, 1 << 63,
}

func (b *bulk) number(v uint64) uint64 {
	switch b.random.IntN(4) {
	case 0:
		return v
	case 1:
		return v ^ 1<<b.random.IntN(64)
	case 2:
		return edges[b.random.IntN(len(edges))] + uint64(b.random.IntN(3)) - 1
	default:
		return b.random.Uint64() >> b.random.IntN(64)
	}
}

// maxGrowth bounds what one change adds, bytes.
const maxGrowth = 64

// Mutate returns a copy of s with one to four random changes: bits, bytes and numbers written over, pieces cut out, doubled,
// moved, or put in.
func Mutate(random *rand.Rand, s []byte) []byte {
	out := append(make([]byte, 0, len(s)+2*maxGrowth), s...)
	for range 1 + random.IntN(4) {
		out = change(random, out)
	}
	return out
}

func change(random *rand.Rand, s []byte) []byte {
	if len(s) == 0 {
		return append(s, byte(random.Uint32()))
	}
	at := random.IntN(len(s))
	n := 1 + random.IntN(min(len(s)-at, maxGrowth))
	switch random.IntN(9) {
	case 0:
		s[at] ^= 1 << random.IntN(8)
	case 1:
		s[at] = byte(random.Uint32())
	case 2:
		s[at] += byte(random.IntN(9)) - 4
	case 3: // a number in one of the widths and orders in which numbers lie in formats
		var b [8]byte
		v, width := edges[random.IntN(len(edges))], 1<<random.IntN(4)
		if random.IntN(2) == 0 {
			binary.LittleEndian.PutUint64(b[:], v)
			copy(s[at:], b[:width])
		} else {
			binary.BigEndian.PutUint64(b[:], v)
			copy(s[at:], b[8-width:])
		}
	case 4:
		return slices.Delete(s, at, at+n)
	case 5:
		return s[:at]
	case 6: // a piece twice
		return slices.Insert(s, at, bytes.Clone(s[at:at+n])...)
	case 7: // a piece over another place
		copy(s[random.IntN(len(s)):], s[at:at+n])
	default: // a byte, perhaps many times
		piece := bytes.Repeat([]byte{byte(random.Uint32())}, random.IntN(n)+1)
		return slices.Insert(s, at, piece...)
	}
	return s
}
