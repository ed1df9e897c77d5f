package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"net"
	"net/http"
	"strings"
)

// sealer encrypts under a key derived from a secret for one purpose.
func sealer(secret []byte, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "scimhub "+purpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(secret []byte, purpose string, plain []byte) ([]byte, error) {
	a, err := sealer(secret, purpose)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, nil), nil
}

func unseal(secret []byte, purpose string, sealed []byte) ([]byte, error) {
	a, err := sealer(secret, purpose)
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nil, sealed, nil)
}

// returnPath is where somebody wanted to go, if that is a page of the hub; else "/".
func returnPath(text string) string {
	bad := strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' })
	if bad || len(text) > 2000 || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") ||
		strings.HasPrefix(text, "/sign-in") || strings.HasPrefix(text, "/sign-out") {
		return "/"
	}
	return strings.ReplaceAll(text, " ", "%20")
}

// clip cuts what others wrote down to what can be shown and kept.
func clip(text string, n int) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, ""))
	if r := []rune(text); len(r) > n {
		return string(r[:n]) + "…"
	}
	return text
}

// remote is the other side's address without its port.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
