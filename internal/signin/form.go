package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"stockbridge/internal/table"
)

// Form is what somebody sent from a page who was signed out by then.
type Form struct {
	Page   string     `json:"page"`   // address of the page that has it
	Action string     `json:"action"` // where it was sent
	Fields url.Values `json:"fields"` // without secrets, which are kept nowhere
	Secret bool       `json:"secret"` // there were some
}

const (
	formCookie   = "__Host-form"
	beforeCookie = "__Host-before"
	formLife     = 10 * time.Minute
	beforeLife   = 30 * 24 * time.Hour
	// formPlaces is how many forms there is room for. Strangers can send forms too: one more takes the place of
	// another, and the table never holds more.
	formPlaces = 1024
)

// keptForm is a form with whose it is.
type keptForm struct {
	Form
	Whose string    `json:"whose"` // the hash of who signed in last in that browser; "" = nobody did
	Until time.Time `json:"until"`
}

// Keep keeps a form until its sender has signed in, for ten minutes at most. The table has it sealed, and only the
// sender's browser has what opens it.
func (d *Desk) Keep(w http.ResponseWriter, r *http.Request, f Form) error {
	secret := rand.Text()
	kept := keptForm{Form: f, Until: time.Now().Add(formLife).UTC()}
	kept.Whose, _ = read(r, beforeCookie)
	plain, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	aead, err := formSeal(secret)
	if err != nil {
		return err
	}
	it := table.Item{Key: formKey(secret), Data: aead.Seal(nil, nil, plain, nil),
		Expires: kept.Until.Add(time.Minute).Truncate(time.Second)}
	if err := d.table.Write(r.Context(), table.Put(it)); err != nil {
		return fmt.Errorf("keep a form: %w", err)
	}
	http.SetCookie(w, cookie(formCookie, secret, formLife))
	return nil
}

// Kept is the form that a request's browser sent before it was signed in. One that another person sent is let go, and
// nobody sees it any more.
func (d *Desk) Kept(w http.ResponseWriter, r *http.Request, p Person) (f Form, ok bool, err error) {
	secret, ok := read(r, formCookie)
	if !ok {
		return f, false, nil
	}
	it, err := table.Read(r.Context(), d.table, formKey(secret))
	if err != nil {
		return f, false, err
	}
	kept, err := openForm(secret, it)
	if err != nil || time.Now().After(kept.Until) { // it had its time, or another took its place
		http.SetCookie(w, cookie(formCookie, "", 0))
		return f, false, nil
	}
	if kept.Whose != "" && kept.Whose != personHash(p) {
		return f, false, d.LetGo(w, r)
	}
	return kept.Form, true, nil
}

// LetGo forgets the form that is kept for a request's browser.
func (d *Desk) LetGo(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, cookie(formCookie, "", 0))
	secret, ok := read(r, formCookie)
	if !ok {
		return nil
	}
	it, err := table.Read(r.Context(), d.table, formKey(secret))
	if err != nil {
		return err
	}
	if _, err := openForm(secret, it); err != nil {
		return nil // not this browser's
	}
	if err := d.table.Write(r.Context(), table.Remove(it)); err != nil && !errors.Is(err, table.ErrConflict) {
		return fmt.Errorf("let a form go: %w", err)
	}
	return nil
}

func openForm(secret string, it table.Item) (kept keptForm, err error) {
	aead, err := formSeal(secret)
	if err != nil {
		return kept, err
	}
	plain, err := aead.Open(nil, nil, it.Data, nil)
	if err != nil {
		return kept, err
	}
	return kept, json.Unmarshal(plain, &kept)
}

// formSeal seals with a key that only the cookie's value leads to; the nonce stands before what is sealed.
func formSeal(secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "stockbridge: a form that is kept", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func formKey(secret string) table.Key {
	sum := sha256.Sum256([]byte(secret))
	place := (int(sum[0])<<8 | int(sum[1])) % formPlaces
	return table.Key{PK: fmt.Sprintf("FORM#%04d", place), SK: "form"}
}

// personHash tells whether two people are the same one, and nothing else of them.
func personHash(p Person) string {
	sum := sha256.Sum256([]byte("person " + p.Subject))
	return hex.EncodeToString(sum[:16])
}
