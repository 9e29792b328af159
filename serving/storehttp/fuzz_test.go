package storehttp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// answering is a connection to an owner that answers everything alike.
type answering struct {
	status int
	body   []byte
}

// RoundTrip answers.
func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Status: "any", Body: io.NopCloser(bytes.NewReader(a.body))}, nil
}

// FuzzReplies: whatever an owner answers, the client refuses it with a class or has as many answers as it asked for.
func FuzzReplies(f *testing.F) {
	f.Add(uint8(0), []byte{1, 1})
	f.Add(uint8(0), []byte{2, 0, 1, 1, 'n', 1, 'm', 1, 2, 'n', 'o'})
	f.Add(uint8(1), []byte{2, 1, 5, 'b', 'a', 't', 'c', 'h', 1, 'm', 0})
	f.Add(uint8(2), []byte{2, 1, 1, 'v', 0})
	f.Add(uint8(3), []byte{2, 0, 1, 1, 'f', 1, 'v', 0, 0})
	f.Add(uint8(4), []byte{7, 1, 'b'})
	f.Add(uint8(5), []byte{1, 7, 1, 'i', 1, 'k', 0})
	f.Add(uint8(6), []byte{1})
	f.Add(uint8(7), []byte("gone"))
	id := lane.ID{Namespace: "n"}
	rows := []lane.RowID{{Lane: id, Incarnation: "i", Key: []byte("k")}, {Lane: id, Incarnation: "i", Key: []byte("l")}}
	fuzzing.Target(f, func(t *testing.T, which uint8, reply []byte) {
		status := http.StatusOK
		if which >= 128 {
			status = http.StatusServiceUnavailable
		}
		c := NewClient(At("http://owner"), time.Minute)
		c.http = &http.Client{Transport: answering{status, reply}}
		ctx := t.Context()
		asked, got := 2, 0
		var err error
		switch which % 7 {
		case 0:
			call := lane.Call{Lane: id, Name: "x", Set: "y", RowsOf: "i"}
			outs := c.Apply(ctx, []lane.Call{call, call})
			got, err = len(outs), errors.Join(outs[0].Err, outs[1].Err)
		case 1:
			var marks []lane.Marks
			marks, err = c.Marks(ctx, []lane.ID{id, id})
			got = len(marks)
		case 2:
			var values [][][]byte
			values, err = c.Rows(ctx, rows)
			got = len(values)
		case 3:
			var exact []lane.Exact
			exact, err = c.Exact(ctx, rows)
			got = len(exact)
		case 4:
			asked = 0
			_, _, err = c.Manifest(ctx, "shop.user")
		case 5:
			asked = 0
			err = frames(bufio.NewReader(bytes.NewReader(reply)), "n", func(r lane.RowID) error {
				if r.Lane.N < 0 || r.Lane.N >= lane.MaxLanes {
					t.Fatalf("a row of lane %d", r.Lane.N)
				}
				return nil
			})
		case 6:
			asked = 0
			_, err = c.PutManifest(ctx, "shop.user", 1, []byte("m"))
		}
		if err != nil && !errors.Is(err, lane.ErrStore) && !errors.Is(err, lane.ErrUnavailable) && !errors.Is(err, lane.ErrMark) {
			t.Fatalf("an error of no class: %v", err)
		}
		if err == nil && got != asked {
			t.Fatalf("%d answers to %d questions", got, asked)
		}
	})
}
