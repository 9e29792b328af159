//go:build !race

package kafkalog

// raceDetector tells that sync.Pool forgets at random, so that allocations cannot be counted.
const raceDetector = false
