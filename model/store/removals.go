package store

// CountRemoval notes that somebody's access was taken away at a target, for the guard
// over its removals. who tells removals apart: the same one counts once in a window.
func (t *Tx) CountRemoval(target, who string) error {
	_, err := t.exec(`INSERT INTO removals (target, at, identity_id) VALUES (?,?,?)`, target, micros(t.Now), who)
	return err
}
