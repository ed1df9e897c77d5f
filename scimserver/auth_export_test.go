package scimserver

// Remembered is how many addresses and credentials the slowing of guesses keeps.
func (a *Access) Remembered() int {
	a.failures.mu.Lock()
	defer a.failures.mu.Unlock()
	f := a.failures
	return len(f.addresses.young) + len(f.addresses.old) + len(f.right.young) + len(f.right.old)
}
