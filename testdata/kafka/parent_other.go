//go:build !linux

package kafka

import "syscall"

// dieWithParent can do nothing here: a killed test leaves its broker behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
