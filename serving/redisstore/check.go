package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// minVersion is the first major version of Redis that has functions.
const minVersion = 7

// Rows are small hashes; in one block of memory each they take 1.1 to 1.5 bytes per byte, otherwise up to 3.2.
const (
	wantListpackValue   = 65_536
	wantListpackEntries = 128
)

// check asks the server whether it can be a store. What is fatal is an error; what only costs memory is a warning.
func (s *Store) check(ctx context.Context) error {
	var text string
	err := s.ask(ctx, "asking the server what it is", &retrier{}, func(ctx context.Context) (err error) {
		text, err = s.client.Info(ctx).Result()
		return err
	})
	if err != nil {
		return err
	}
	info := parseInfo(text)
	major, _, _ := strings.Cut(info["redis_version"], ".")
	if v, err := strconv.Atoi(major); err != nil || v < minVersion {
		return fmt.Errorf("%w: the server's version is %q, want %d or later: upgrade it",
			lane.ErrStore, info["redis_version"], minVersion)
	}
	if info["cluster_enabled"] == "1" {
		return fmt.Errorf("%w: the server is part of a cluster, which is not supported: use a standalone one", lane.ErrStore)
	}
	if p := info["maxmemory_policy"]; p != "noeviction" {
		return fmt.Errorf("%w: the server's maxmemory-policy is %q, which may delete tiles and marks when memory is short: "+
			"CONFIG SET maxmemory-policy noeviction", lane.ErrStore, p)
	}
	s.warnings = s.checkListpacks(ctx)
	return nil
}

func (s *Store) checkListpacks(ctx context.Context) []string {
	var got map[string]string
	err := s.ask(ctx, "asking the server for its settings", &retrier{}, func(ctx context.Context) (err error) {
		got, err = s.client.ConfigGet(ctx, "hash-max-listpack-*").Result()
		return err
	})
	if err != nil {
		why := err.Error()
		if refusal, ok := errors.AsType[redis.Error](err); ok && strings.HasPrefix(refusal.Error(), "NOPERM") {
			why = "the user lacks the right +config|get, see docs/redis.md"
		}
		return []string{fmt.Sprintf("the server does not tell its settings (%s): rows take up to three times the memory unless "+
			"hash-max-listpack-value is %d or more and hash-max-listpack-entries %d or more", why, wantListpackValue, wantListpackEntries)}
	}
	var warnings []string
	for _, w := range []struct {
		name string
		want int
	}{
		{"hash-max-listpack-value", wantListpackValue},
		{"hash-max-listpack-entries", wantListpackEntries},
	} {
		if v, err := strconv.Atoi(got[w.name]); err != nil || v < w.want {
			warnings = append(warnings, fmt.Sprintf("the server's %s is %s, so that rows take up to three times the memory: CONFIG SET %s %d",
				w.name, got[w.name], w.name, w.want))
		}
	}
	return warnings
}

// diagnose returns a better reason than err where there is one. A server that does not accept our certificate says so
// after the handshake (TLS 1.3), and a command that is already on its way then meets a closed connection first. So
// connect once more and only listen.
func (s *Store) diagnose(ctx context.Context, o *redis.Options, err error) error {
	if o.TLSConfig == nil || !broken(err) {
		return err
	}
	listenErr := s.exchange(ctx, func(ctx context.Context) error {
		c, err := (&tls.Dialer{Config: o.TLSConfig}).DialContext(ctx, "tcp", o.Addr)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }() // nothing was sent
		deadline, _ := ctx.Deadline()    // of exchange; a server without complaints is silent until then
		if err := c.SetReadDeadline(deadline); err != nil {
			return err
		}
		_, err = c.Read(make([]byte, 1))
		return err
	})
	if _, ok := permanent(listenErr); ok {
		return classify("connecting to "+o.Addr, listenErr)
	}
	return err
}

// parseInfo reads the lines "name:value" of INFO.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}
