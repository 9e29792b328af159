package redisserver

import "syscall"

// dieWithParent makes the server end with the test's process even if that is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
