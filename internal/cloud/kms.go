package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Sealer encrypts small values with data keys, which a KMS key encrypts in turn (envelope encryption). A value is bound
// to its tenant and to what of the tenant's it is, as additional data: moved elsewhere, it does not open.
//
// All processes seal with one data key, which the table keeps as KMS encrypted it, and which another one follows after
// three months. Each value bears the encrypted data key that it was sealed with, so that what is sealed opens without
// that item. A process has KMS open a data key once an hour, however many tenants there are: so long does it take until
// a disabled KMS key opens nothing any more.
//
// Earlier versions had KMS encrypt each value, with the tenant as encryption context. Such values open as before, until
// their connection is saved again; what they hold is kept for an hour.
type Sealer struct {
	kms   service
	key   string
	table table.Table

	asking sync.Mutex // held by whoever asks for a data key, so that others need not

	mu      sync.Mutex
	opened  map[[sha256.Size]byte]*dataKey // by their encrypted forms
	current sealingKey
	plain   map[[sha256.Size]byte]opened // values that KMS itself encrypted
}

// dataKey is a data key that was opened.
type dataKey struct {
	*tenant.Box
	wrapped []byte    // as KMS encrypted it
	until   time.Time // when KMS is asked again
}

// sealingKey is the data key that is sealed with.
type sealingKey struct {
	*dataKey
	made time.Time
}

func (k sealingKey) good(now time.Time) bool {
	return k.dataKey != nil && now.Before(k.until) && now.Sub(k.made) < keyAge
}

// opened is a value in the cache.
type opened struct {
	plain []byte
	until time.Time
}

const (
	openedFor  = time.Hour
	mostOpened = 1000                // of values, and of data keys
	keyAge     = 90 * 24 * time.Hour // how long a data key seals
)

// newSealer returns a Sealer that uses the KMS key with an id, ARN or alias, and keeps its data key in a table.
func newSealer(kms service, key string, t table.Table) *Sealer {
	return &Sealer{kms: kms, key: key, table: t, opened: map[[sha256.Size]byte]*dataKey{},
		plain: map[[sha256.Size]byte]opened{}}
}

// keyMessage is what is said to KMS, and by it.
type keyMessage struct {
	KeyID             string            `json:"KeyId"`
	KeySpec           string            `json:",omitempty"`
	Plaintext         []byte            `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
}

// mark begins what a data key sealed. Nothing that KMS encrypts begins so.
var mark = []byte("\xe5SB1")

// Seal encrypts plain for the tenant.
func (s *Sealer) Seal(ctx context.Context, tenantID, what string, plain []byte) ([]byte, error) {
	k, err := s.sealing(ctx)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	sealed, err := k.Seal(ctx, tenantID, what, plain)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	head := binary.BigEndian.AppendUint16(bytes.Clone(mark), uint16(len(k.wrapped)))
	return append(append(head, k.wrapped...), sealed...), nil
}

// Open decrypts what Seal encrypted for the same tenant.
func (s *Sealer) Open(ctx context.Context, tenantID, what string, blob []byte) ([]byte, error) {
	rest, found := bytes.CutPrefix(blob, mark)
	if !found {
		return s.openValue(ctx, tenantID, blob)
	}
	if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
		return nil, tenant.ErrSealed
	}
	wrapped, sealed := rest[2:2+binary.BigEndian.Uint16(rest)], rest[2+binary.BigEndian.Uint16(rest):]
	k, err := s.open(ctx, wrapped)
	if err != nil {
		return nil, fmt.Errorf("open sealed: %w", err)
	}
	return k.Open(ctx, tenantID, what, sealed)
}

// open returns the data key that KMS encrypted, and asks KMS where it did not within the hour.
func (s *Sealer) open(ctx context.Context, wrapped []byte) (*dataKey, error) {
	if k := s.known(wrapped); k != nil {
		return k, nil
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	if k := s.known(wrapped); k != nil { // by now
		return k, nil
	}
	out, err := s.call(ctx, "Decrypt", keyMessage{CiphertextBlob: wrapped, EncryptionContext: ofDataKeys()})
	if err != nil {
		return nil, err
	}
	return s.keep(wrapped, out.Plaintext)
}

// ofDataKeys is the encryption context of data keys.
func ofDataKeys() map[string]string { return map[string]string{"purpose": "data key"} }

func (s *Sealer) known(wrapped []byte) *dataKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.opened[sha256.Sum256(wrapped)]; k != nil && time.Now().Before(k.until) {
		return k
	}
	return nil
}

func (s *Sealer) keep(wrapped, plain []byte) (*dataKey, error) {
	box, err := tenant.NewBox(plain)
	if err != nil {
		return nil, fmt.Errorf("data key: %w", err)
	}
	k := &dataKey{Box: box, wrapped: bytes.Clone(wrapped), until: time.Now().Add(openedFor)}
	s.mu.Lock()
	defer s.mu.Unlock()
	makeRoom(s.opened)
	s.opened[sha256.Sum256(wrapped)] = k
	return k, nil
}

// sealingItem names the table's item of the data key that is sealed with.
var sealingItem = table.Key{PK: "SEALING", SK: "key"}

// storedKey is that item.
type storedKey struct {
	Wrapped []byte
	Made    time.Time
}

// sealing returns the data key that is sealed with: the table's, or a new one where that is too old, or where KMS will
// never open it again.
func (s *Sealer) sealing(ctx context.Context) (sealingKey, error) {
	s.mu.Lock()
	k := s.current
	s.mu.Unlock()
	if k.good(time.Now()) {
		return k, nil
	}
	read, err := table.Read(ctx, s.table, sealingItem)
	if err != nil {
		return k, err
	}
	var fresh sealingKey // made here, at most once
	_, err = table.Change(ctx, s.table, read, func(it table.Item) (ops []table.Op, err error) {
		if k, err = s.stored(ctx, it); k.good(time.Now()) || err != nil && !errors.Is(err, tenant.ErrSealed) {
			return nil, err
		}
		if fresh.dataKey == nil {
			if fresh, err = s.newKey(ctx); err != nil {
				return nil, err
			}
		}
		k = fresh
		it.Data, err = table.Marshal(storedKey{k.wrapped, k.made})
		return []table.Op{table.Save(it)}, err
	})
	if err != nil {
		return k, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = k
	return k, nil
}

// stored opens the table's data key, unless it is too old or there is none.
func (s *Sealer) stored(ctx context.Context, it table.Item) (k sealingKey, err error) {
	if it.Rev == "" {
		return k, nil
	}
	var stored storedKey
	if err := table.Unmarshal(it.Data, &stored); err != nil {
		return k, fmt.Errorf("data key: %w", err)
	}
	if time.Since(stored.Made) >= keyAge {
		return k, nil
	}
	k.made = stored.Made
	k.dataKey, err = s.open(ctx, stored.Wrapped)
	return k, err
}

// newKey has KMS make a data key.
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html)
func (s *Sealer) newKey(ctx context.Context) (k sealingKey, err error) {
	out, err := s.call(ctx, "GenerateDataKey", keyMessage{KeySpec: "AES_256", EncryptionContext: ofDataKeys()})
	if err != nil {
		return k, err
	}
	if n := len(out.CiphertextBlob); n == 0 || n > math.MaxUint16 {
		return k, fmt.Errorf("KMS encrypted a data key in %d bytes", n)
	}
	k.made = time.Now().UTC()
	k.dataKey, err = s.keep(out.CiphertextBlob, out.Plaintext)
	return k, err
}

// openValue decrypts a value that KMS itself encrypted.
func (s *Sealer) openValue(ctx context.Context, tenantID string, blob []byte) ([]byte, error) {
	at := cacheKey(tenantID, blob)
	s.mu.Lock()
	cached, ok := s.plain[at]
	s.mu.Unlock()
	if ok && time.Now().Before(cached.until) {
		return bytes.Clone(cached.plain), nil
	}
	bound := map[string]string{"tenant": tenantID}
	out, err := s.call(ctx, "Decrypt", keyMessage{CiphertextBlob: blob, EncryptionContext: bound})
	if err != nil {
		return nil, fmt.Errorf("open sealed: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	makeRoom(s.plain)
	s.plain[at] = opened{bytes.Clone(out.Plaintext), time.Now().Add(openedFor)}
	return out.Plaintext, nil
}

// call makes a call to KMS.
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html)
func (s *Sealer) call(ctx context.Context, operation string, in keyMessage) (out keyMessage, err error) {
	in.KeyID = s.key
	err = permanent(s.kms.call(ctx, "1.1", "TrentService."+operation, in, &out))
	if err == nil && len(out.Plaintext) == 0 {
		err = errors.New("KMS's answer has no value")
	}
	return out, err
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

// makeRoom takes one entry out of a cache that is full, whichever.
func makeRoom[V any](cache map[[sha256.Size]byte]V) {
	for at := range cache {
		if len(cache) < mostOpened {
			return
		}
		delete(cache, at)
	}
}

// cacheKey includes the tenant, so that no tenant gets from the cache what KMS
// would refuse it.
func cacheKey(tenantID string, sealed []byte) [sha256.Size]byte {
	t := sha256.Sum256([]byte(tenantID))
	return sha256.Sum256(append(t[:], sealed...))
}
