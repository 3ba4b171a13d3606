package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"stockbridge/internal/tenant"
)

// Sealer encrypts small values with a KMS key, with the tenant as encryption
// context: what was sealed for one tenant does not open for another, and
// CloudTrail shows who opened whose. KMS takes at most 4,096 bytes.
//
// Opened values are kept for an hour, as each step of an order needs its
// connection's secrets.
type Sealer struct {
	client *kms.Client
	key    string

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

// NewSealer returns a Sealer that uses the key with an id, ARN or alias.
func NewSealer(client *kms.Client, key string) *Sealer {
	return &Sealer{client: client, key: key, cache: map[[sha256.Size]byte]opened{}}
}

// Seal encrypts plain for the tenant.
func (s *Sealer) Seal(ctx context.Context, tenant string, plain []byte) ([]byte, error) {
	out, err := s.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.key, Plaintext: plain,
		EncryptionContext: encryptionContext(tenant)})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	s.keep(tenant, out.CiphertextBlob, plain)
	return out.CiphertextBlob, nil
}

// Open decrypts what Seal encrypted for the same tenant.
func (s *Sealer) Open(ctx context.Context, tenant string, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	cached, ok := s.cache[cacheKey(tenant, sealed)]
	s.mu.Unlock()
	if ok && time.Now().Before(cached.until) {
		return bytes.Clone(cached.plain), nil
	}
	out, err := s.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &s.key, CiphertextBlob: sealed,
		EncryptionContext: encryptionContext(tenant)})
	if err != nil {
		return nil, fmt.Errorf("open sealed: %w", permanent(err))
	}
	s.keep(tenant, sealed, out.Plaintext)
	return out.Plaintext, nil
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
	var disabled *types.DisabledException
	var deleted *types.NotFoundException
	var state *types.KMSInvalidStateException // pending deletion
	var other *types.IncorrectKeyException
	var broken *types.InvalidCiphertextException
	if errors.As(err, &disabled) || errors.As(err, &deleted) || errors.As(err, &state) || errors.As(err, &other) ||
		errors.As(err, &broken) {
		return fmt.Errorf("%w: %w", tenant.ErrSealed, err)
	}
	return err
}

func encryptionContext(tenant string) map[string]string { return map[string]string{"tenant": tenant} }

// cacheKey includes the tenant, so that no tenant gets from the cache what KMS
// would refuse it.
func cacheKey(tenant string, sealed []byte) [sha256.Size]byte {
	t := sha256.Sum256([]byte(tenant))
	return sha256.Sum256(append(t[:], sealed...))
}
