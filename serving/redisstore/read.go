package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// pipelineReads is the number of rows, or lanes, read in one pipeline.
const pipelineReads = 256

// Marks returns the marks of each lane.
func (s *Store) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	for _, id := range lanes {
		if err := storelimit.Lane(id); err != nil {
			return nil, err
		}
	}
	out := make([]lane.Marks, 0, len(lanes))
	for chunk := range slices.Chunk(lanes, pipelineReads) {
		cmds, err := pipelined(ctx, s, len(chunk), func(ctx context.Context, pipe redis.Pipeliner, i int) *redis.MapStringStringCmd {
			return pipe.HGetAll(ctx, marksKey(chunk[i]))
		})
		for i, cmd := range cmds {
			marks, cmdErr := cmd.Result()
			if cmdErr != nil || marks == nil {
				return nil, failure("reading "+marksKey(chunk[i]), cmdErr, err)
			}
			out = append(out, marks)
		}
	}
	return out, nil
}

// Rows returns the values of each row, each by one command and so at one instant.
func (s *Store) Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error) {
	if err := checkRows(rows); err != nil {
		return nil, err
	}
	out := make([][][]byte, 0, len(rows))
	for chunk := range slices.Chunk(rows, pipelineReads) {
		cmds, err := pipelined(ctx, s, len(chunk), func(ctx context.Context, pipe redis.Pipeliner, i int) *redis.StringSliceCmd {
			return pipe.HVals(ctx, rowKey(chunk[i]))
		})
		for i, cmd := range cmds {
			values, cmdErr := cmd.Result()
			if cmdErr != nil || values == nil {
				return nil, failure(doingRow(chunk[i]), cmdErr, err)
			}
			out = append(out, toBytes(values))
		}
	}
	return out, nil
}

// Exact returns each row with its lane's marks, both read in one transaction.
func (s *Store) Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error) {
	if err := checkRows(rows); err != nil {
		return nil, err
	}
	out := make([]lane.Exact, 0, len(rows))
	for chunk := range slices.Chunk(rows, pipelineReads) {
		// The transactions are written into the pipeline by hand: the library's own would take a round trip each.
		cmds, err := pipelined(ctx, s, len(chunk), func(ctx context.Context, pipe redis.Pipeliner, i int) transaction {
			return transaction{
				pipe.Do(ctx, "MULTI"),
				pipe.Do(ctx, "HGETALL", marksKey(chunk[i].Lane)),
				pipe.Do(ctx, "HGETALL", rowKey(chunk[i])),
				pipe.Do(ctx, "EXEC"),
			}
		})
		for i, t := range cmds {
			e, cmdErr := t.exact()
			if cmdErr != nil || e.Marks == nil {
				return nil, failure(doingRow(chunk[i]), cmdErr, err)
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// transaction is MULTI, two queued reads, and EXEC, whose reply has what they read.
type transaction [4]*redis.Cmd

func (t transaction) exact() (lane.Exact, error) {
	for _, cmd := range t {
		// The first refusal is the reason; EXEC only says that there was one.
		if err := cmd.Err(); err != nil {
			return lane.Exact{}, err
		}
	}
	replies, err := t[3].Slice()
	if err != nil {
		return lane.Exact{}, err
	}
	var read [2]map[string]string
	for i := range read {
		if len(replies) != len(read) {
			return lane.Exact{}, fmt.Errorf("%w: the server answers a transaction of %d reads with %d replies",
				lane.ErrStore, len(read), len(replies))
		}
		if err, ok := replies[i].(error); ok {
			return lane.Exact{}, err
		}
		flat, ok := replies[i].([]any)
		if !ok {
			return lane.Exact{}, fmt.Errorf("%w: the server answers HGETALL with a %T", lane.ErrStore, replies[i])
		}
		if read[i], err = pairs(flat); err != nil {
			return lane.Exact{}, err
		}
	}
	return lane.Exact{Marks: read[0], Fields: toFields(read[1])}, nil
}

// pipelined sends n commands in one pipeline and returns them with their replies, and Exec's error.
func pipelined[T any](ctx context.Context, s *Store, n int, add func(context.Context, redis.Pipeliner, int) T) ([]T, error) {
	cmds := make([]T, n)
	for r := (retrier{}); ; {
		pipe := s.client.Pipeline()
		for i := range cmds {
			cmds[i] = add(ctx, pipe, i)
		}
		err := s.exchange(ctx, func(ctx context.Context) error {
			_, err := pipe.Exec(ctx)
			return err
		})
		if !r.again(ctx, s, err) {
			return cmds, err
		}
	}
}

// failure returns what went wrong with one command of a pipeline that has no answer. A command that was never sent,
// because the server refused the connection, has neither an answer nor an error of its own: it must not pass for an
// empty row.
func failure(doing string, cmdErr, execErr error) error {
	if cmdErr == nil {
		cmdErr = execErr
	}
	if cmdErr == nil {
		cmdErr = errors.New("no answer")
	}
	if errors.Is(cmdErr, lane.ErrStore) {
		return fmt.Errorf("%s: %w", doing, cmdErr)
	}
	return classify(doing, cmdErr)
}

func doingRow(id lane.RowID) string { return fmt.Sprintf("reading row %q", rowKey(id)) }

func checkRows(rows []lane.RowID) error {
	for _, id := range rows {
		if err := storelimit.Row(id); err != nil {
			return err
		}
	}
	return nil
}

// toBytes returns the values of a row as bytes. They are not copied: the library made each string of a reply for us, and
// nobody else has it, so that who writes into the bytes changes nothing that was promised to stay.
func toBytes(values []string) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = unsafe.Slice(unsafe.StringData(v), len(v))
	}
	return out
}

func toFields(row map[string]string) []lane.Field {
	fields := make([]lane.Field, 0, len(row))
	for name, value := range row {
		fields = append(fields, lane.Field{Name: name, Value: []byte(value)})
	}
	slices.SortFunc(fields, func(a, b lane.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}
