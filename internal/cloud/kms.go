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

// Sealer encrypts small values by a KMS key, with the tenant as encryption
// context: what was sealed for one tenant does not open for another, and
// CloudTrail tells who opened whose. KMS takes at most 4,096 bytes.
//
// What was opened is kept for an hour, as an order needs its connection's
// secrets again and again.
type Sealer struct {
	client *kms.Client
	key    string

	mu     sync.Mutex
	opened map[[sha256.Size]byte]opened
}

type opened struct {
	plain []byte
	until time.Time
}

const (
	openedFor  = time.Hour
	openedMost = 1000
)

// NewSealer seals with the key of that id, ARN or alias.
func NewSealer(client *kms.Client, key string) *Sealer {
	return &Sealer{client: client, key: key, opened: map[[sha256.Size]byte]opened{}}
}

// Seal encrypts plain for the tenant.
func (s *Sealer) Seal(ctx context.Context, tenant string, plain []byte) ([]byte, error) {
	out, err := s.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.key, Plaintext: plain, EncryptionContext: boundTo(tenant)})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	s.keep(tenant, out.CiphertextBlob, plain)
	return out.CiphertextBlob, nil
}

// Open decrypts what Seal made for the same tenant.
func (s *Sealer) Open(ctx context.Context, tenant string, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	had, ok := s.opened[nameOf(tenant, sealed)]
	s.mu.Unlock()
	if ok && time.Now().Before(had.until) {
		return bytes.Clone(had.plain), nil
	}
	out, err := s.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &s.key, CiphertextBlob: sealed, EncryptionContext: boundTo(tenant)})
	if err != nil {
		return nil, fmt.Errorf("open sealed: %w", lost(err))
	}
	s.keep(tenant, sealed, out.Plaintext)
	return out.Plaintext, nil
}

func (s *Sealer) keep(tenant string, sealed, plain []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.opened) >= openedMost {
		clear(s.opened)
	}
	s.opened[nameOf(tenant, sealed)] = opened{bytes.Clone(plain), time.Now().Add(openedFor)}
}

// lost is tenant.ErrSealed where KMS will not open something however often it is asked, as its key was disabled or deleted or
// is another; else err.
func lost(err error) error {
	var disabled *types.DisabledException
	var deleted *types.NotFoundException
	var state *types.KMSInvalidStateException // pending deletion
	var other *types.IncorrectKeyException
	var broken *types.InvalidCiphertextException
	if errors.As(err, &disabled) || errors.As(err, &deleted) || errors.As(err, &state) || errors.As(err, &other) || errors.As(err, &broken) {
		return fmt.Errorf("%w: %w", tenant.ErrSealed, err)
	}
	return err
}

func boundTo(tenant string) map[string]string { return map[string]string{"tenant": tenant} }

// nameOf tells what is opened apart by tenant as well: a value must not be
// had from memory by a tenant that KMS would refuse.
func nameOf(tenant string, sealed []byte) [sha256.Size]byte {
	t := sha256.Sum256([]byte(tenant))
	return sha256.Sum256(append(t[:], sealed...))
}
