package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLoggerOfRoles: lines for people on a terminal (a character device), for programs otherwise.
func TestLoggerOfRoles(t *testing.T) {
	t.Parallel()
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if _, ok := newLogger(device).Handler().(*slog.TextHandler); !ok {
		t.Error("on a character device the log is no text")
	}
	name := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	newLogger(file).Warn("waiting", "after", 1500*time.Millisecond)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var line struct{ Level, Msg, After string }
	if err := json.Unmarshal(text, &line); err != nil || line.Level != "WARN" || line.Msg != "waiting" || line.After != "1.5s" {
		t.Errorf("a line in a file is %q (%v)", text, err)
	}
}

// TestByteSize: a size is shown as it would be written, and reads back.
func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, bytes := range map[string]byteSize{"1GiB": defaultMemory, "1536MiB": 3 << 29, "3KiB": 3072, "512MB": 512e6, "1500KB": 15e5, "5B": 5} {
		var read byteSize
		if err := read.Set(text); err != nil || read != bytes || bytes.String() != text {
			t.Errorf("%d is shown as %s; %s reads as %d (%v)", bytes, bytes.String(), text, read, err)
		}
	}
}
