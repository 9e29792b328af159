//go:build !linux

package redisserver

import "syscall"

// dieWithParent can do nothing here: a killed test leaves its server behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
