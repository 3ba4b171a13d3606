package tenant

import (
	"errors"
	"testing"

	"stockbridge/internal/table"
)

// TestTokensOfOlderVersions: a token that was stored before tokens were listed opens as ever, shows in the list once it was
// used, and can be revoked.
func TestTokensOfOlderVersions(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "sb_OLDOLDOLDOLDOLDOLDOLDOLDOLD"
	if err := s.table.Write(ctx, table.Create(table.Item{Key: tokenKey(hashed(secret)), Data: []byte(`{"tenant":"` + a.ID + `"}`)})); err != nil {
		t.Fatal(err)
	}
	var id string
	for range 2 {
		got, tok, err := s.Bearer(ctx, secret)
		if err != nil || got != a.ID || tok.Role != Admin || tok.ID == "" {
			t.Fatalf("opens %q as %+v: %v", got, tok, err)
		}
		id = tok.ID
	}
	list, _, err := s.Tokens(ctx, a.ID, "", 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("list: %+v %v", list, err)
	}
	if _, err := s.Revoke(ctx, a.ID, id); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Bearer(ctx, secret); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked, it opens: %v", err)
	}
	if list, _, err = s.Tokens(ctx, a.ID, "", 10); err != nil || len(list) != 1 || list[0].Name != "first" {
		t.Errorf("list: %+v %v", list, err)
	}
}
