package pebblestore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Defaults of Options.
const (
	DefaultCacheBytes    = 64 << 20
	DefaultMemTableBytes = 16 << 20
)

// maxOpenFiles bounds the table files that Pebble keeps open.
const maxOpenFiles = 500

// fatalExit is the exit code of a process whose store can not go on ("failed otherwise").
const fatalExit = 4

// Options are the settings of an embedded store; the zero value is usable.
type Options struct {
	// CacheBytes is the size of the cache of table blocks, in bytes; 0 is DefaultCacheBytes.
	CacheBytes int64
	// MemTableBytes is the size, in bytes, at which the table in memory is written out; up to three of them are in
	// memory at a time. 0 is DefaultMemTableBytes. A row that is rewritten all the time has each of its versions in
	// this table, and reading it walks over them, so that larger is not faster.
	MemTableBytes uint64
	// Logger takes Pebble's own messages, at debug level; nil is slog.Default.
	Logger *slog.Logger
	// Fatal is called when Pebble cannot go on (a full or failing disk) and must not return; nil logs the reason and
	// ends the process with exit code 4. Everything committed so far is in its log or will be folded again.
	Fatal func(reason string)

	fs vfs.FS // nil is the disk; tests have one that crashes
}

func (o Options) withDefaults() Options {
	o.CacheBytes = cmp.Or(o.CacheBytes, DefaultCacheBytes)
	o.MemTableBytes = cmp.Or(o.MemTableBytes, DefaultMemTableBytes)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.Fatal == nil {
		log := o.Logger
		o.Fatal = func(reason string) {
			log.Error("the embedded store cannot go on", "reason", reason)
			os.Exit(fatalExit)
		}
	}
	return o
}

func (o Options) pebble(lock *pebble.Lock) *pebble.Options {
	return &pebble.Options{
		FS:                 o.fs,
		CacheSize:          o.CacheBytes,
		MemTableSize:       o.MemTableBytes,
		MaxOpenFiles:       maxOpenFiles,
		FormatMajorVersion: pebble.FormatNewest,
		Lock:               lock,
		Logger:             logger{o.Logger, o.Fatal},
	}
}

// logger carries Pebble's messages to slog. They are for somebody who looks into Pebble, hence debug; what matters to
// an operator comes back as an error of an operation, or through Fatal.
type logger struct {
	log   *slog.Logger
	fatal func(string)
}

func (l logger) Infof(format string, args ...any) {
	l.debug("pebble", format, args)
}

func (l logger) Errorf(format string, args ...any) {
	l.debug("pebble error", format, args)
}

func (l logger) debug(msg, format string, args []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(msg, "text", fmt.Sprintf(format, args...))
	}
}

func (l logger) Fatalf(format string, args ...any) {
	l.fatal(fmt.Sprintf(format, args...))
}
