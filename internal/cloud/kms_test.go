package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// keyService is KMS with one key, as far as its API reference says: what it encrypted opens with the same encryption
// context alone.
type keyService struct {
	mu     sync.Mutex
	made   []kmsMade
	calls  map[string]int
	refuse string // a code to answer with instead
}

type kmsMade struct {
	plain   []byte
	context map[string]string
}

func (k *keyService) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	k.calls[operation]++
	var in, out keyMessage
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.KeyID != "alias/seal" {
		return nil, fmt.Errorf("asked %+v, %w", in, err)
	}
	code := k.refuse
	switch {
	case code != "":
	case operation == "GenerateDataKey" && in.KeySpec == "AES_256":
		out.Plaintext = bytes.Repeat([]byte{byte(len(k.made) + 1)}, 32)
		out.CiphertextBlob = k.keep(out.Plaintext, in.EncryptionContext)
	case operation == "Encrypt":
		out.CiphertextBlob = k.keep(in.Plaintext, in.EncryptionContext)
	case operation == "Decrypt":
		n := 0
		fmt.Sscanf(string(in.CiphertextBlob), "blob %d", &n)
		if n == 0 || n > len(k.made) || !maps.Equal(k.made[n-1].context, in.EncryptionContext) {
			code = "InvalidCiphertextException"
			break
		}
		out.Plaintext = k.made[n-1].plain
	default:
		code = "ValidationException"
	}
	status, answer := http.StatusOK, any(out)
	if code != "" {
		status, answer = http.StatusBadRequest, map[string]string{"__type": code}
	}
	body, err := json.Marshal(answer)
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, err
}

func (k *keyService) keep(plain []byte, context map[string]string) []byte {
	k.made = append(k.made, kmsMade{bytes.Clone(plain), context})
	return fmt.Appendf(nil, "blob %d", len(k.made))
}

// sealers is a table, a KMS, and processes that seal.
type sealers struct {
	t     *testing.T
	table *table.File
	kms   *keyService
}

func withSealers(t *testing.T, f func(t *testing.T, w *sealers)) {
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		file, err := table.Open(path, table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		f(t, &sealers{t, file, &keyService{calls: map[string]int{}}})
	})
}

// process is another process's Sealer.
func (w *sealers) process() *Sealer { return newSealer(serviceTest(w.kms), "alias/seal", w.table) }

func (w *sealers) seal(s *Sealer, tenantID, what, plain string) []byte {
	w.t.Helper()
	sealed, err := s.Seal(context.Background(), tenantID, what, []byte(plain))
	if err != nil || bytes.Contains(sealed, []byte(plain)) {
		w.t.Fatalf("%q, %v", sealed, err)
	}
	return sealed
}

// opens fails unless a value opens as want; "" = it can never be opened.
func (w *sealers) opens(s *Sealer, tenantID, what string, sealed []byte, want string) {
	w.t.Helper()
	got, err := s.Open(context.Background(), tenantID, what, sealed)
	if string(got) != want || (want == "") != errors.Is(err, tenant.ErrSealed) {
		w.t.Errorf("%q, %v", got, err)
	}
	clear(got) // the caller may
}

// asked fails unless KMS was asked so often since the last time.
func (w *sealers) asked(calls string) {
	w.t.Helper()
	if got := fmt.Sprint(w.kms.calls); got != "map["+calls+"]" {
		w.t.Errorf("asked %s, want %s", got, calls)
	}
	clear(w.kms.calls)
}

// TestSealer: all processes seal with one data key, which KMS opens once an hour for each; a value opens for its tenant
// and as what it was sealed alone; what is no sealed value, or half of one, does not.
func TestSealer(t *testing.T) {
	withSealers(t, func(t *testing.T, w *sealers) {
		a, b := w.process(), w.process()
		one, two := w.seal(a, "acme", "upstock", "plain 1"), w.seal(b, "zenith", "cin7core", "plain 2")
		w.asked("Decrypt:1 GenerateDataKey:1") // the second process took the first one's
		for range 3 {
			w.opens(a, "acme", "upstock", one, "plain 1")
			w.opens(b, "acme", "upstock", one, "plain 1")
			w.opens(a, "zenith", "cin7core", two, "plain 2")
		}
		w.opens(a, "zenith", "upstock", one, "")
		w.opens(a, "acme", "cin7core", one, "")
		w.asked("")
		time.Sleep(openedFor)
		w.opens(a, "acme", "upstock", one, "plain 1")
		w.opens(a, "zenith", "cin7core", two, "plain 2")
		w.asked("Decrypt:1")
		for n := range len(one) {
			if _, err := a.Open(t.Context(), "acme", "upstock", one[:n]); err == nil {
				t.Errorf("the first %d bytes open", n)
			}
			bad := bytes.Clone(one)
			bad[n] ^= 1
			if _, err := a.Open(t.Context(), "acme", "upstock", bad); err == nil {
				t.Errorf("with another byte %d it opens", n)
			}
		}
	})
}

// TestSealerTwoAtOnce: of two processes that make the first data key at once, both seal with the one that was stored.
func TestSealerTwoAtOnce(t *testing.T) {
	withSealers(t, func(t *testing.T, w *sealers) {
		var sealed [2][]byte
		var both sync.WaitGroup
		for n := range sealed {
			both.Go(func() { sealed[n] = w.seal(w.process(), "acme", "upstock", "plain") })
		}
		both.Wait()
		clear(w.kms.calls)
		c := w.process()
		w.opens(c, "acme", "upstock", sealed[0], "plain")
		w.opens(c, "acme", "upstock", sealed[1], "plain")
		w.asked("Decrypt:1")
	})
}

// TestSealerRotates: after three months another data key seals. What the earlier one sealed opens still, also where
// the table's item of it is lost.
func TestSealerRotates(t *testing.T) {
	withSealers(t, func(t *testing.T, w *sealers) {
		a := w.process()
		old := w.seal(a, "acme", "upstock", "old")
		for range 3 {
			time.Sleep(keyAge / 3)
			w.seal(a, "acme", "upstock", "between")
		}
		w.asked("Decrypt:2 GenerateDataKey:2")
		it, err := table.Read(t.Context(), w.table, sealingItem)
		if err == nil {
			err = w.table.Write(t.Context(), table.Remove(it))
		}
		if err != nil {
			t.Fatal(err)
		}
		b := w.process()
		w.opens(b, "acme", "upstock", old, "old")
		w.opens(b, "acme", "upstock", w.seal(b, "acme", "upstock", "new"), "new")
		w.asked("Decrypt:1 GenerateDataKey:1")
	})
}

// TestSealerLosesItsKey: while the KMS key is disabled nothing opens within the hour, and it is said for good; what is
// sealed once there is a key again opens, though the earlier data key never will. What may pass is said as it is.
func TestSealerLosesItsKey(t *testing.T) {
	withSealers(t, func(t *testing.T, w *sealers) {
		a := w.process()
		lost := w.seal(a, "acme", "upstock", "plain")
		time.Sleep(openedFor)
		w.kms.refuse = "DisabledException"
		w.opens(a, "acme", "upstock", lost, "")
		if _, err := a.Seal(t.Context(), "acme", "upstock", []byte("plain")); !errors.Is(err, tenant.ErrSealed) {
			t.Error(err)
		}
		w.kms.refuse = ""
		w.opens(a, "acme", "upstock", lost, "plain")
		w.kms.made[0].context = nil // another KMS key took its place
		b := w.process()
		w.opens(b, "acme", "upstock", lost, "")
		again := w.seal(b, "acme", "upstock", "saved again")
		w.opens(w.process(), "acme", "upstock", again, "saved again")

		w.kms.refuse = "KMSInternalException"
		time.Sleep(openedFor)
		if _, err := b.Open(t.Context(), "acme", "upstock", again); err == nil || errors.Is(err, tenant.ErrSealed) {
			t.Error(err)
		}
	})
}

// TestSealedByKMS: values of earlier versions, which KMS itself encrypted for a tenant, open for it.
func TestSealedByKMS(t *testing.T) {
	withSealers(t, func(t *testing.T, w *sealers) {
		blob := w.kms.keep([]byte("plain"), map[string]string{"tenant": "acme"})
		s := w.process()
		for range 3 {
			w.opens(s, "acme", "upstock", blob, "plain")
		}
		w.opens(s, "zenith", "upstock", blob, "") // KMS is asked, and what it refuses is not kept
		w.opens(s, "zenith", "upstock", blob, "")
		w.asked("Decrypt:3")
		time.Sleep(openedFor)
		w.opens(s, "acme", "upstock", blob, "plain")
		w.asked("Decrypt:1")
	})
}

// TestKMSCalls: 5,000 tenants, who were connected over a year and by many processes, cost 30 processes no more than one
// call for a hundred jobs.
func TestKMSCalls(t *testing.T) {
	withSealers(t, func(t *testing.T, w *sealers) {
		const tenants, processes = 5000, 30
		sealed := make([][]byte, tenants)
		for n := range sealed {
			if n%100 == 0 {
				time.Sleep(365 * 24 * time.Hour / 50)
			}
			sealed[n] = w.seal(w.process(), fmt.Sprint("tenant ", n), "upstock", "plain")
		}
		clear(w.kms.calls)
		var all []*Sealer
		for range processes {
			all = append(all, w.process())
		}
		jobs := 0
		for range 12 { // an hour of polls
			for n := range sealed {
				w.opens(all[(n+jobs)%processes], fmt.Sprint("tenant ", n), "upstock", sealed[n], "plain")
				jobs++
			}
			time.Sleep(5 * time.Minute)
		}
		if calls := w.kms.calls["Decrypt"]; float64(calls) > 0.01*float64(jobs) {
			t.Errorf("%d calls for %d jobs", calls, jobs)
		}
	})
}

// TestSealerPermanent: errors that asking again cannot help are told from those that may pass.
func TestSealerPermanent(t *testing.T) {
	for code, permanent := range map[string]bool{
		"DisabledException": true, "NotFoundException": true, "KMSInvalidStateException": true,
		"IncorrectKeyException": true, "InvalidCiphertextException": true,
		"AccessDeniedException": false, "ThrottlingException": false, "KMSInternalException": false,
		"KeyUnavailableException": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: []string{code + ` {"message":"m"}`}}
			sealer := newSealer(serviceTest(s), "alias/seal", nil)
			_, err := sealer.Open(t.Context(), "acme", "upstock", []byte("sealed"))
			if err == nil || errors.Is(err, tenant.ErrSealed) != permanent {
				t.Errorf("%s: %v", code, err)
			}
		})
	}
}
