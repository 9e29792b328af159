//go:build !unix

package main

import "time"

// cpuTime returns 0: the processor time that the process has used is not known here.
func cpuTime() time.Duration { return 0 }
