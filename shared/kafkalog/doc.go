// Package kafkalog is the log's shell: it fetches records from Kafka exactly, produces them, and takes part in consumer
// groups. It is the one owner of kafka-go, of which it uses the plumbing only: Transport (connections, routing to
// nodes) and ConsumerGroup (ownership). Never kafka.Reader or kafka.Conn for records: they skip over a trimmed log,
// deliver aborted records and transaction markers, ignore checksums and misread append times.
//
// # What it knows
//
// Client dials a cluster, describes and creates topics, and asks for bounds. Fetcher reads several partitions of a topic
// with raw Fetch requests; its decoder (recordset.go, batch.go: pure, no I/O) checks each batch's CRC-32C, leaves out
// aborted records and markers, takes the append time that the batch declares, and says the exact next offset. Producer
// appends with acks from all replicas, by Kafka's own Murmur2 partitioner. Group and Generation say which partitions are
// ours for now; the positions to resume from are the caller's own, never the group's.
//
// # Why version 13 of Fetch
//
// Requests name the topic by its id, not by its name. A topic that was deleted and created again under the same name is
// refused by the broker itself (ErrRecreated), whereas older versions answer with the new log's records as soon as it
// is longer than our offset. Brokers older than Kafka 3.1 do not have it, and Dial refuses them.
//
// # What it must not know
//
// What the bytes of a record mean, sources, blocks, marks, stores. A partition here is a topic's; what tidemark calls a
// source is the caller's business.
//
// # Failures
//
// Every error wraps one of the classes in errors.go. Transient tells which of them a caller may wait out; all others
// stop a partition until somebody looks. Nothing is ever skipped: a fetch either returns what lies at the offset asked
// for, or an error that names topic, partition and offset.
package kafkalog
