package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// pipelineBytes is about what one pipeline of calls carries; a flush of all lanes is far smaller. It bounds what one
// deadline is for. A single larger call is a pipeline of its own.
const pipelineBytes = 32 << 20

// Apply sends all calls in one pipeline (more, if they are very large), each as one function call. A call whose reply
// was lost may be sent again, unless it says Once; it may then come back as refused, with its own target among the marks.
func (s *Store) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	out := make([]lane.Outcome, len(calls))
	todo := make([]int, 0, len(calls))
	for i := range calls {
		if out[i].Err = storelimit.Call(&calls[i]); out[i].Err == nil {
			todo = append(todo, i)
		}
	}
	var r retrier
	for len(todo) > 0 {
		s.send(ctx, calls, todo, out)
		var why error
		if todo, why = again(calls, todo, out); !r.again(ctx, s, why) {
			break // the outcomes of todo say what they failed with
		}
	}
	return out
}

// again returns the calls that could be sent once more, and why: those that did not find the functions, with the refused
// ones behind them in their lanes, which may have been refused for just that (somebody else loaded them in between); and
// those without an answer that may arrive twice.
func again(calls []lane.Call, sent []int, out []lane.Outcome) (todo []int, why error) {
	var lanes map[lane.ID]bool
	for _, i := range sent {
		err := out[i].Err
		switch {
		case missing(err):
			if lanes == nil {
				lanes = map[lane.ID]bool{}
			}
			lanes[calls[i].Lane] = true
			todo, why = append(todo, i), err
		case lanes[calls[i].Lane] && err == nil && !out[i].Applied:
			todo = append(todo, i)
		case broken(err) && !calls[i].Once:
			todo = append(todo, i)
			if why == nil {
				why = err
			}
		}
	}
	return todo, why
}

// send sends the calls numbered in todo, in order, and notes their outcomes.
func (s *Store) send(ctx context.Context, calls []lane.Call, todo []int, out []lane.Outcome) {
	for len(todo) > 0 {
		n, size := 0, 0
		for n < len(todo) && (n == 0 || size < pipelineBytes) {
			size += storelimit.Size(&calls[todo[n]])
			n++
		}
		s.pipeline(ctx, calls, todo[:n], out)
		todo = todo[n:]
	}
}

func (s *Store) pipeline(ctx context.Context, calls []lane.Call, todo []int, out []lane.Outcome) {
	pipe := s.client.Pipeline()
	replies := make([]*redis.Cmd, len(todo))
	for j, i := range todo {
		replies[j] = pipe.Do(ctx, encode(&calls[i])...)
	}
	execErr := s.exchange(ctx, func(ctx context.Context) error {
		// Its error is the first of the commands' own, which are looked at one by one.
		_, err := pipe.Exec(ctx)
		return err
	})
	for j, i := range todo {
		reply, err := replies[j].Slice()
		if err != nil && replies[j].Err() == nil && execErr != nil {
			err = execErr // the server refused the connection: the call was never sent
		}
		out[i].Result, out[i].Err = outcome(calls[i].Lane, reply, err)
	}
}

// outcome reads the reply of applyFunction.
func outcome(id lane.ID, reply []any, err error) (lane.Result, error) {
	if err != nil {
		return lane.Result{}, classify("applying to the lane with the marks "+marksKey(id), err)
	}
	if len(reply) == 1 && reply[0] == "1" {
		return lane.Result{Applied: true}, nil
	}
	if len(reply) == 0 || reply[0] != "0" {
		return lane.Result{}, fmt.Errorf("%w: the server answers a call on lane %s with %.100q", lane.ErrStore, id, fmt.Sprint(reply...))
	}
	marks, err := pairs(reply[1:])
	return lane.Result{Marks: marks}, err
}

// pairs reads names and values in turn.
func pairs(flat []any) (map[string]string, error) {
	if len(flat)%2 != 0 {
		return nil, fmt.Errorf("%w: the server answers with %d names and values", lane.ErrStore, len(flat))
	}
	m := make(map[string]string, len(flat)/2)
	for i := 0; i < len(flat); i += 2 {
		name, ok1 := flat[i].(string)
		value, ok2 := flat[i+1].(string)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%w: the server answers with a %T and a %T for a field", lane.ErrStore, flat[i], flat[i+1])
		}
		m[name] = value
	}
	return m, nil
}
