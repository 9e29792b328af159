package archivefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// topicName is the file beside a source's partitions that says which topic they hold.
const topicName = "topic.json"

// topicCodec is the number of the only codec of that file.
const topicCodec = 1

// topicLine is the file's first line. Its checksum is the second.
type topicLine struct {
	Codec  int    `json:"codec"`
	Source string `json:"source"`
	Topic  string `json:"topic"`
	ID     string `json:"id"`
}

type topicSum struct {
	SHA256 string `json:"sha256"`
}

// Topic returns the topic that the archive of a source holds, as KeepTopic wrote it; not Known if nobody did. Errors are of
// class ErrDamaged or ErrVersion, or the file system's.
func Topic(dir, source string) (schema.Topic, error) {
	path := filepath.Join(dir, source, topicName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return schema.Topic{}, nil
	}
	if err != nil {
		return schema.Topic{}, fmt.Errorf("reading which topic the archive of %s holds: %w", source, err)
	}
	return decodeTopic(path, source, b)
}

func decodeTopic(path, source string, b []byte) (schema.Topic, error) {
	first := bytes.IndexByte(b, '\n') + 1
	var line topicLine
	var sum topicSum
	if err := json.Unmarshal(b[:first], &line); err != nil {
		return schema.Topic{}, topicDamage(path, fmt.Sprintf("its first line does not read (%v)", err))
	}
	if line.Codec != topicCodec {
		return schema.Topic{}, fmt.Errorf("%w: %s is of codec %d, this tidemark reads codec %d", ErrVersion, path, line.Codec, topicCodec)
	}
	want := sha256.Sum256(b[:first])
	if err := json.Unmarshal(b[first:], &sum); err != nil || sum.SHA256 != hex.EncodeToString(want[:]) {
		return schema.Topic{}, topicDamage(path, "its checksum does not fit")
	}
	t := schema.Topic{Name: line.Topic, ID: line.ID}
	if line.Source != source || !t.Valid() {
		return schema.Topic{}, topicDamage(path, fmt.Sprintf("it says topic %q with id %q of source %q", line.Topic, line.ID, line.Source))
	}
	return t, nil
}

func topicDamage(path, what string) error {
	return fmt.Errorf("%w: %s: %s; restore it from a copy, or remove it: whoever archives the source next writes it again, for the "+
		"topic that there is then", ErrDamaged, path, what)
}

func encodeTopic(source string, t schema.Topic) ([]byte, error) {
	line, err := json.Marshal(topicLine{Codec: topicCodec, Source: source, Topic: t.Name, ID: t.ID})
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	sum := sha256.Sum256(line)
	return fmt.Appendf(line, "{\"sha256\":%q}\n", hex.EncodeToString(sum[:])), nil
}

// KeepTopic says in the archive that a source is filled from this topic, once and for all: whoever comes later with another
// one gets an error of class schema.ErrTopic, and so does the later of two who come together. An archive that was begun
// before there were such files takes the first that comes. The file is durable when KeepTopic returns.
func KeepTopic(fsys FS, dir, source string, t schema.Topic) error {
	if err := CheckTopic(dir, source, t); err != nil || !t.Known() {
		return err
	}
	b, err := encodeTopic(source, t)
	if err == nil {
		err = writeTopic(fsys, filepath.Join(dir, source), b)
	}
	if err != nil {
		return fmt.Errorf("writing which topic the archive of %s holds: %w", source, err)
	}
	return CheckTopic(dir, source, t)
}

// writeTopic writes the file aside and links it to its name; one that is there stays.
func writeTopic(fsys FS, folder string, b []byte) error {
	if _, err := os.Stat(filepath.Join(folder, topicName)); err == nil {
		return nil
	}
	f, path, err := fsys.Create(folder)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Link(path, filepath.Join(folder, topicName))
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, fsys.Remove(path), fsys.SyncDir(folder))
}

// CheckTopic returns an error of class schema.ErrTopic if the archive of a source says that it holds another topic than
// this one. It writes nothing.
func CheckTopic(dir, source string, now schema.Topic) error {
	kept, err := Topic(dir, source)
	if err != nil {
		return err
	}
	return schema.CheckTopic(source, "the archive "+dir, kept, now)
}
