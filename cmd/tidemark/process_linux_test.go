package main

import "syscall"

// dieWithParent makes a process end, by a signal, with the test's even if that is killed.
func dieWithParent(by syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: by}
}
