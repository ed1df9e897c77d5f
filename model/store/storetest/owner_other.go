//go:build !unix

package storetest

import "os/exec"

// asOwner has nothing to do where there is no root.
func asOwner(*exec.Cmd, string) error { return nil }
