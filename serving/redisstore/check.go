package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	text, err := s.client.Info(ctx).Result()
	if err != nil {
		return classify("asking the server what it is", err)
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
	got, err := s.client.ConfigGet(ctx, "hash-max-listpack-*").Result()
	if err != nil {
		return []string{"the server does not tell its settings (" + err.Error() + "): rows take up to three times the memory unless " +
			"hash-max-listpack-value is " + strconv.Itoa(wantListpackValue) + " and hash-max-listpack-entries " + strconv.Itoa(wantListpackEntries)}
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
