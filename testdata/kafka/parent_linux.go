package kafka

import "syscall"

// dieWithParent makes the broker end with the test's process even if that is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
