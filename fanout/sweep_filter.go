package fanout

import "hash/maphash"

// bloom remembers texts in an amount of memory that is fixed when it is made: it may take a text for known
// that is not, and never the reverse. Each has a seed of its own, so that whoever is
// passed over by chance is not passed over by the next one.
type bloom struct {
	seed maphash.Seed
	bits []uint64
}

const (
	bloomBits   = 1 << 25 // 4 MiB
	bloomSmall  = 1 << 17 // 16 KiB, for the accounts of a page
	bloomHashes = 5
)

// newBloom makes one of so many bits, a multiple of 64.
func newBloom(bits int) *bloom {
	return &bloom{seed: maphash.MakeSeed(), bits: make([]uint64, bits/64)}
}

// each calls fn with the places of a text until it says false.
func (b *bloom) each(text string, fn func(word int, bit uint64) bool) {
	h := maphash.String(b.seed, text)
	size := uint32(len(b.bits)) * 64        //nolint:gosec // bloomBits at most
	low, high := uint32(h), uint32(h>>32)|1 //nolint:gosec // two halves of a hash
	for i := range uint32(bloomHashes) {
		at := (low + i*high) % size
		if !fn(int(at/64), 1<<(at%64)) {
			return
		}
	}
}

func (b *bloom) add(text string) {
	b.each(text, func(word int, bit uint64) bool { b.bits[word] |= bit; return true })
}

func (b *bloom) has(text string) bool {
	all := true
	b.each(text, func(word int, bit uint64) bool { all = b.bits[word]&bit != 0; return all })
	return all
}
