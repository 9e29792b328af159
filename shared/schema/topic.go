package schema

import (
	"errors"
	"fmt"
)

// Topic is the very topic that a source is read from. Kafka gives each topic an id when it is created: one that was deleted
// and created again has the same name and another id, and its offsets mean other records.
type Topic struct {
	Name string `json:"name"`
	// ID is the topic's id as Kafka's tools print it: 16 bytes as 22 characters of URL-safe base64. Empty = not known.
	ID string `json:"id"`
}

// ErrTopic is the class of errors about a source that is read from another topic than before. Nothing that was made of the
// one may be continued with the other, so every role stops.
var ErrTopic = errors.New("source is read from another topic than before")

// Known tells whether it is known which topic it is.
func (t Topic) Known() bool { return t.ID != "" }

// Valid tells whether t names a topic and its id.
func (t Topic) Valid() bool { return t.Name != "" && len(t.ID) == topicIDLength }

// topicIDLength is the length of 16 bytes in base64 without padding.
const topicIDLength = 22

// CheckTopic compares the topic that a source's keeper (such as "the archive data/archive") was made from with the one that
// it is read from now. Where either is not known it returns nil. Errors are of class ErrTopic; they name the topics, both
// ids and the cure.
func CheckTopic(source, keeper string, kept, now Topic) error {
	if !kept.Known() || !now.Known() || kept.ID == now.ID {
		return nil
	}
	cause := "the topic was deleted and created again"
	if kept.Name != now.Name {
		cause = "the source was pointed at another topic"
	}
	return fmt.Errorf("%w: %s of source %s was made from topic %s with id %s, and topic %s has id %s: %s, whose offsets mean other records; "+
		"declare a source of another name for it, or begin with an empty archive, state and store",
		ErrTopic, keeper, source, kept.Name, kept.ID, now.Name, now.ID, cause)
}
