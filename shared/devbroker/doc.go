// Package devbroker is a Kafka broker in one process, for development, the demo and tests: franz-go's kfake with a data
// directory, made to stamp records with append times. It is the one owner of franz-go. It is not for production, and no
// production path may import it.
//
// # Append time
//
// kfake accepts message.timestamp.type=LogAppendTime and ignores it; and a batch that says so itself (attribute bit 0x08)
// it stores with other timestamps than its checksum covers. So this package stamps around it, in two steps that add up to
// what Kafka stores:
//
//  1. A batch produced to such a topic gets the broker's time as its max timestamp and a private mark (attribute bit
//     0x4000, which Kafka does not use), before kfake sees it. kfake keeps both, on disk too, so the stamp is the same on
//     each fetch and after each restart.
//  2. A marked batch that is fetched gets bit 0x08 instead of the mark, on its way out of the connection.
//
// As on Kafka, the topic's setting decides when a batch is appended, so a topic may be switched while it is in use.
//
// # What it must not know
//
// Anything of tidemark: it is a broker.
package devbroker
