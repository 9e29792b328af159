package main

import "syscall"

// sigterm is what an operator's process manager sends.
const sigterm = syscall.SIGTERM
