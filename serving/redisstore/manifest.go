package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

// Manifest returns the manifest of a view.
func (s *Store) Manifest(ctx context.Context, view string) (int64, []byte, error) {
	if err := storelimit.View(view); err != nil {
		return 0, nil, err
	}
	var m map[string]string
	err := s.ask(ctx, "reading "+manifestKey(view), &retrier{}, func(ctx context.Context) (err error) {
		m, err = s.client.HGetAll(ctx, manifestKey(view)).Result()
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	if len(m) == 0 {
		return 0, nil, nil
	}
	seq, err := strconv.ParseInt(m["seq"], 10, 64)
	if err != nil || seq < 1 || seq > position.MaxOffset {
		return 0, nil, fmt.Errorf("%w: %s has the number %q (delete it: the batch role writes it again)",
			lane.ErrStore, manifestKey(view), m["seq"])
	}
	return seq, []byte(m["body"]), nil
}

// PutManifest sets the manifest of a view unless the one there is as new. It never arrives twice, as the repeat would
// answer false for what the first did: after lane.ErrUnavailable, the manifest itself tells.
func (s *Store) PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error) {
	if err := storelimit.Manifest(view, seq, body); err != nil {
		return false, err
	}
	var set int64
	err := s.ask(ctx, "writing "+manifestKey(view), &retrier{once: true}, func(ctx context.Context) (err error) {
		set, err = s.client.FCall(ctx, manifestFunction, []string{manifestKey(view)}, seq, body).Int64()
		return err
	})
	return set == 1, err
}
