//go:build !linux

package main

import "syscall"

// dieWithParent can do nothing here: a test that is killed leaves its processes behind.
func dieWithParent(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
