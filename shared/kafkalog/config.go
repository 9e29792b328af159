package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Defaults and limits of Config.
const (
	DefaultDialTimeout    = 5 * time.Second
	DefaultRequestTimeout = 10 * time.Second
	DefaultPartitionBytes = 1 << 20
	DefaultFetchBytes     = 16 << 20
	DefaultFrameBytes     = 256 << 20
	DefaultDecodedBytes   = 64 << 20
	DefaultBatchBytes     = 256 << 20
	maxBytesLimit         = 1 << 30
)

// Config says how to reach a cluster and how much memory one fetch may take.
type Config struct {
	// Brokers are the addresses to begin with, host:port. An element may hold several, split by commas. At least one.
	Brokers []string
	// ClientID names this client in the brokers' logs and quotas. Default "tidemark".
	ClientID string
	// DialTimeout bounds opening one connection. Default 5 s.
	DialTimeout time.Duration
	// RequestTimeout bounds one request and its answer, on top of what the request itself waits for. Default 10 s.
	RequestTimeout time.Duration

	// PartitionBytes bounds what one fetch takes of one partition, bytes as stored. One batch that is larger is fetched
	// all the same. Default 1 MiB, at most 1 GiB.
	PartitionBytes int
	// FetchBytes bounds what one fetch takes from one node, bytes as stored; the same exception. Default 16 MiB.
	FetchBytes int
	// FrameBytes bounds a response, to which the exception above does not apply: a larger one is an error. Default 256 MiB.
	FrameBytes int
	// DecodedBytes bounds what one response is decompressed to: when it is passed, the rest is left for the next fetch
	// (each partition still gets at least one batch). Default 64 MiB.
	DecodedBytes int
	// BatchBytes bounds what one batch is decompressed to; a larger one is an error. Default 256 MiB.
	BatchBytes int

	// Dial opens a connection. Default: the net package's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Validate reports all faults of the configuration at once. Zero fields are fine, they mean the defaults.
func (c Config) Validate() error {
	var faults []error
	if len(c.addresses()) == 0 {
		faults = append(faults, errors.New("no broker address"))
	}
	for _, a := range c.addresses() {
		if _, _, err := net.SplitHostPort(a); err != nil {
			faults = append(faults, fmt.Errorf("broker address %q: want host:port", a))
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"DialTimeout", c.DialTimeout}, {"RequestTimeout", c.RequestTimeout}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s is negative: %s", d.name, d.value))
		}
	}
	for _, b := range []struct {
		name  string
		value int
	}{
		{"PartitionBytes", c.PartitionBytes},
		{"FetchBytes", c.FetchBytes},
		{"FrameBytes", c.FrameBytes},
		{"DecodedBytes", c.DecodedBytes},
		{"BatchBytes", c.BatchBytes},
	} {
		if b.value < 0 || b.value > maxBytesLimit {
			faults = append(faults, fmt.Errorf("%s is %d, want 0 (default) to %d", b.name, b.value, maxBytesLimit))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("checking kafka configuration: %w", errors.Join(faults...))
	}
	return nil
}

// addresses returns the single broker addresses. They are split here because kafka-go panics in a goroutine of its own
// when it is given several in one string.
func (c Config) addresses() []string {
	var as []string
	for _, list := range c.Brokers {
		for a := range strings.SplitSeq(list, ",") {
			if a = strings.TrimSpace(a); a != "" {
				as = append(as, a)
			}
		}
	}
	return as
}

// withDefaults returns the configuration with every zero field set, and the addresses split.
func (c Config) withDefaults() Config {
	c.Brokers = c.addresses()
	if c.ClientID == "" {
		c.ClientID = "tidemark"
	}
	set(&c.DialTimeout, DefaultDialTimeout)
	set(&c.RequestTimeout, DefaultRequestTimeout)
	set(&c.PartitionBytes, DefaultPartitionBytes)
	set(&c.FetchBytes, DefaultFetchBytes)
	set(&c.FrameBytes, DefaultFrameBytes)
	set(&c.DecodedBytes, DefaultDecodedBytes)
	set(&c.BatchBytes, DefaultBatchBytes)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	return c
}

// set gives a zero field its default.
func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
