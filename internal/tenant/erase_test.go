package tenant

import (
	"errors"
	"testing"
)

// TestEraseWhileConnecting: a connection that is saved while its tenant is erased leaves nothing behind: neither its
// account nor its webhook URL stays an erased tenant's.
func TestEraseWhileConnecting(t *testing.T) {
	for _, when := range []string{"before", "while its key is tried"} {
		t.Run(when, func(t *testing.T) {
			s, ctx := newStore(t), t.Context()
			gone, _, err := s.Create(ctx, "Harbour Roasters", "")
			if err != nil {
				t.Fatal(err)
			}
			other, _, err := s.Create(ctx, "Hill Bakers", "")
			if err != nil {
				t.Fatal(err)
			}
			erase := func() {
				if _, err := s.Erase(ctx, gone.ID); err != nil {
					t.Error(err)
				}
			}
			c, sec, err := s.Connect(ctx, gone.ID, Upstock, func(c *Connection, sec *Secrets) error {
				c.Account, c.Exclusive, sec.Key = "7", true, "k"
				if sec.GiveURLToken(); when != "before" {
					erase()
				}
				return nil
			})
			if when == "before" {
				if err != nil {
					t.Fatal(err)
				}
				s.Hold(ctx, c)
				erase()
				if _, _, err := s.URLTokenOwner(ctx, string(sec.URLToken)); !errors.Is(err, ErrNotFound) {
					t.Errorf("its webhook URL is somebody's: %v", err)
				}
			} else if !errors.Is(err, ErrNotFound) {
				t.Errorf("a tenant that is erased was connected: %v", err)
			}
			if _, err := s.Connection(ctx, gone.ID, Upstock); !errors.Is(err, ErrNotFound) {
				t.Errorf("it is connected: %v", err)
			}
			if _, _, err := connect(t, s, other.ID, "7", "k", ""); err != nil {
				t.Errorf("another tenant's: %v", err)
			}
		})
	}
}
