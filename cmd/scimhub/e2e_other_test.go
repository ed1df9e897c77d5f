//go:build !linux

package main_test

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
