package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzReplies gives whatever a server may answer to what reads replies: it is refused with a class, or it is an outcome
// or a row. The replies are those that the client library makes of a server's bytes: numbers, texts, nulls, errors and
// lists of them, nested.
func FuzzReplies(f *testing.F) {
	f.Add([]byte{replyList, 1, replyText, 1, '1'})
	f.Add([]byte{replyList, 3, replyText, 1, '0', replyText, 5, 'b', 'a', 't', 'c', 'h', replyText, 1, 'x'})
	f.Add([]byte{replyList, 2, replyList, 2, replyText, 1, 'a', replyText, 1, 'b', replyList, 0})
	f.Add([]byte{replyList, 2, replyError, replyNull})
	f.Add([]byte{replyNumber, 7})
	id := lane.ID{Namespace: "n"}
	fuzzing.Target(f, func(t *testing.T, b []byte) {
		reply := (&replies{b}).next(0)
		flat, ok := reply.([]any)
		if !ok {
			return
		}
		r, err := outcome(id, flat, nil)
		classed(t, err)
		if err == nil && r.Applied && len(r.Marks) > 0 {
			t.Fatalf("%v is an outcome with marks", flat)
		}
		if err == nil && !r.Applied && len(r.Marks) > len(flat)/2 {
			t.Fatalf("%v has the marks %v", flat, r.Marks)
		}
		exec := redis.NewCmd(context.Background())
		exec.SetVal(reply)
		e, err := transaction{&redis.Cmd{}, &redis.Cmd{}, &redis.Cmd{}, exec}.exact()
		if err != nil {
			classed(t, failure("reading", err, nil))
		} else if e.Marks == nil {
			t.Fatalf("%v is a row without marks and without an error", reply)
		}
	})
}

func classed(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, lane.ErrStore) && !errors.Is(err, lane.ErrUnavailable) && !errors.Is(err, lane.ErrMark) {
		t.Fatalf("an error of no class: %v", err)
	}
}

// The kinds of replies as the fuzzer writes them.
const (
	replyNull byte = iota
	replyText
	replyNumber
	replyError
	replyList
	replyKinds
)

// maxNesting bounds replies in replies.
const maxNesting = 4

// replies makes a reply of bytes: a kind, a length, and what belongs to it.
type replies struct{ b []byte }

func (r *replies) next(depth int) any {
	switch r.byte() % replyKinds {
	case replyText:
		n := min(int(r.byte()), len(r.b))
		text := string(r.b[:n])
		r.b = r.b[n:]
		return text
	case replyNumber:
		n, size := binary.Varint(r.b)
		r.b = r.b[max(size, 0):]
		return n
	case replyError:
		return redis.Nil
	case replyList:
		n := min(int(r.byte()), len(r.b))
		list := []any{}
		for range n {
			if depth < maxNesting {
				list = append(list, r.next(depth+1))
			}
		}
		return list
	}
	return nil
}

func (r *replies) byte() byte {
	if len(r.b) == 0 {
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}
