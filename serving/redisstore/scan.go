package redisstore

import (
	"context"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// scanCount is the number of keys that the server looks at in one step of a scan, some 200 µs of its time.
const scanCount = 1000

// Scan yields every row of the namespace, some perhaps more than once; yield may use the store. The server walks over
// all its keys, those of other namespaces too.
func (s *Store) Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error {
	if err := storelimit.Namespace(namespace); err != nil {
		return err
	}
	match := pattern(namespace)
	for cursor := uint64(0); ; {
		keys, next, err := s.scanStep(ctx, cursor, match)
		if err != nil {
			return err
		}
		for _, key := range keys {
			id, ok, err := parseKey(namespace, key)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if err := yield(id); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (s *Store) scanStep(ctx context.Context, cursor uint64, match string) (keys []string, next uint64, err error) {
	err = s.ask(ctx, "scanning for "+match, &retrier{}, func(ctx context.Context) (err error) {
		keys, next, err = s.client.Scan(ctx, cursor, match, scanCount).Result()
		return err
	})
	return keys, next, err
}
