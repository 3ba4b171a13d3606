package tenant

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Box is a Sealer with a key of its own (AES-256-GCM, the tenant as
// additional data), for stores outside AWS; there KMS seals.
type Box struct{ aead cipher.AEAD }

// NewBox returns a Box with a 32-byte key.
func NewBox(key []byte) (*Box, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(b)
	if err != nil {
		return nil, err
	}
	return &Box{aead}, nil
}

// OpenBox returns a Box whose key is kept in a file, made at first use.
func OpenBox(path string) (*Box, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key)
		err = os.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return NewBox(key)
}

// Seal implements Sealer.
func (b *Box) Seal(_ context.Context, tenant string, plain []byte) ([]byte, error) {
	return b.aead.Seal(nil, nil, plain, []byte(tenant)), nil
}

// Open implements Sealer.
func (b *Box) Open(_ context.Context, tenant string, sealed []byte) ([]byte, error) {
	return b.aead.Open(nil, nil, sealed, []byte(tenant))
}
