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
// was lost is sent again by the client library; it may then come back as refused, with its own target among the marks.
func (s *Store) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	out := make([]lane.Outcome, len(calls))
	todo := make([]int, 0, len(calls))
	for i := range calls {
		if out[i].Err = storelimit.Call(&calls[i]); out[i].Err == nil {
			todo = append(todo, i)
		}
	}
	for load := 0; len(todo) > 0; load++ {
		if load > 0 {
			if load > maxLoads || s.load(ctx) != nil {
				return out // the outcomes of todo say that the functions are missing
			}
		}
		s.send(ctx, calls, todo, out)
		todo = again(calls, todo, out)
	}
	return out
}

// again returns the calls to send once more after loading the functions: those that did not find them, and the refused
// ones behind them in their lanes, which may have been refused for just that (somebody else loaded them in between).
func again(calls []lane.Call, sent []int, out []lane.Outcome) []int {
	var todo []int
	var lanes map[lane.ID]bool
	for _, i := range sent {
		switch {
		case missing(out[i].Err):
			if lanes == nil {
				lanes = map[lane.ID]bool{}
			}
			lanes[calls[i].Lane] = true
			todo = append(todo, i)
		case lanes[calls[i].Lane] && out[i].Err == nil && !out[i].Applied:
			todo = append(todo, i)
		}
	}
	return todo
}

// send sends the calls numbered in todo, in order, and notes their outcomes. A run of calls of one kind shares a
// pipeline, so that neighbours of one lane arrive in order whichever client they go through.
func (s *Store) send(ctx context.Context, calls []lane.Call, todo []int, out []lane.Outcome) {
	for len(todo) > 0 {
		n, size := 0, 0
		for n < len(todo) && calls[todo[n]].Once == calls[todo[0]].Once && (n == 0 || size < pipelineBytes) {
			size += storelimit.Size(&calls[todo[n]])
			n++
		}
		s.pipeline(ctx, calls, todo[:n], out)
		todo = todo[n:]
	}
}

func (s *Store) pipeline(ctx context.Context, calls []lane.Call, todo []int, out []lane.Outcome) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	client := s.client
	if calls[todo[0]].Once {
		client = s.once
	}
	pipe := client.Pipeline()
	replies := make([]*redis.Cmd, len(todo))
	for j, i := range todo {
		keys, args := encode(&calls[i])
		replies[j] = pipe.FCall(ctx, applyFunction, keys, args...)
	}
	// Its error is the first of the commands' own, which are looked at one by one.
	_, execErr := pipe.Exec(ctx)
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
