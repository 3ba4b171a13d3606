package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"stockbridge/internal/tenant"
)

// Sealer encrypts small values with a KMS key, with the tenant as encryption
// context: what was sealed for one tenant does not open for another, and
// CloudTrail shows who opened whose. KMS takes at most 4,096 bytes.
//
// Opened values are kept for an hour, as each step of an order needs its
// connection's secrets.
type Sealer struct {
	kms service
	key string

	mu    sync.Mutex
	cache map[[sha256.Size]byte]opened
}

// opened is a value in the cache.
type opened struct {
	plain []byte
	until time.Time
}

const (
	openedFor  = time.Hour
	mostOpened = 1000
)

// newSealer returns a Sealer that uses the key with an id, ARN or alias.
func newSealer(kms service, key string) *Sealer {
	return &Sealer{kms: kms, key: key, cache: map[[sha256.Size]byte]opened{}}
}

// sealed is what is said of a value to KMS, and by it: one of its two forms.
type sealed struct {
	KeyID             string            `json:"KeyId"`
	Plaintext         []byte            `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
}

// Seal encrypts plain for the tenant.
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html)
func (s *Sealer) Seal(ctx context.Context, tenant string, plain []byte) ([]byte, error) {
	out, err := s.call(ctx, "Encrypt", tenant, sealed{Plaintext: plain})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	s.keep(tenant, out.CiphertextBlob, plain)
	return out.CiphertextBlob, nil
}

// Open decrypts what Seal encrypted for the same tenant.
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html)
func (s *Sealer) Open(ctx context.Context, tenant string, blob []byte) ([]byte, error) {
	s.mu.Lock()
	cached, ok := s.cache[cacheKey(tenant, blob)]
	s.mu.Unlock()
	if ok && time.Now().Before(cached.until) {
		return bytes.Clone(cached.plain), nil
	}
	out, err := s.call(ctx, "Decrypt", tenant, sealed{CiphertextBlob: blob})
	if err != nil {
		return nil, fmt.Errorf("open sealed: %w", permanent(err))
	}
	s.keep(tenant, blob, out.Plaintext)
	return out.Plaintext, nil
}

// call has KMS say the other form of a tenant's value.
func (s *Sealer) call(ctx context.Context, operation, tenant string, in sealed) (out sealed, err error) {
	in.KeyID, in.EncryptionContext = s.key, map[string]string{"tenant": tenant}
	err = s.kms.call(ctx, "1.1", "TrentService."+operation, in, &out)
	if err == nil && len(out.CiphertextBlob)+len(out.Plaintext) == 0 {
		err = errors.New("the answer has no value")
	}
	return out, err
}

func (s *Sealer) keep(tenant string, sealed, plain []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cache) >= mostOpened {
		clear(s.cache)
	}
	s.cache[cacheKey(tenant, sealed)] = opened{bytes.Clone(plain), time.Now().Add(openedFor)}
}

// permanent wraps err in tenant.ErrSealed if asking again cannot help: the KMS key was disabled or deleted, or is
// another.
func permanent(err error) error {
	if no, ok := errors.AsType[*refused](err); ok {
		switch no.Code {
		case "DisabledException", "NotFoundException", "IncorrectKeyException", "InvalidCiphertextException",
			"KMSInvalidStateException": // pending deletion
			return fmt.Errorf("%w: %w", tenant.ErrSealed, err)
		}
	}
	return err
}

// cacheKey includes the tenant, so that no tenant gets from the cache what KMS
// would refuse it.
func cacheKey(tenant string, sealed []byte) [sha256.Size]byte {
	t := sha256.Sum256([]byte(tenant))
	return sha256.Sum256(append(t[:], sealed...))
}
