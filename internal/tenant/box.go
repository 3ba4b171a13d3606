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

// Box is a Sealer with a key of its own (AES-256-GCM, what a value is bound to as
// additional data): that of a file for stores outside AWS, a data key of KMS there.
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

// OpenBox returns a Box whose key is kept in a file, made at first use. A file that others can read is refused: what it
// seals would be sealed from nobody.
func OpenBox(path string) (*Box, error) {
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key = make([]byte, 32)
		rand.Read(key)
		if err = os.WriteFile(path, key, 0o600); err == nil {
			err = os.Chmod(path, 0o600)
		}
	case err == nil:
		info, serr := os.Stat(path)
		if serr != nil {
			err = serr
		} else if mode := info.Mode().Perm(); mode&0o077 != 0 {
			err = fmt.Errorf("%s can be read by others (mode %04o): it opens every stored key, so make it yours "+
				"alone (chmod 600 %s), and save new keys if somebody may have read it", path, mode, path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("key file: %s is not one: it has %d bytes, and a key has 32. Put the right file back; "+
			"or move it away, and save the keys of every connection again", path, len(key))
	}
	return NewBox(key)
}

// Seal implements Sealer.
func (b *Box) Seal(_ context.Context, tenant, what string, plain []byte) ([]byte, error) {
	return b.aead.Seal(nil, nil, plain, boundTo(tenant, what)), nil
}

// Open implements Sealer. It also opens what earlier versions bound to the tenant alone.
func (b *Box) Open(_ context.Context, tenant, what string, sealed []byte) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, boundTo(tenant, what))
	if err != nil {
		plain, err = b.aead.Open(nil, nil, sealed, []byte(tenant))
	}
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// boundTo is the additional data of a value. No tenant's id has a zero byte in it.
func boundTo(tenant, what string) []byte { return []byte(tenant + "\x00" + what) }
