package tenant

import (
	"errors"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/table"
)

// TestTokensOfOlderVersions: a token that was stored before tokens were listed opens as ever, shows in the list once it
// was used, and can be revoked.
func TestTokensOfOlderVersions(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "sb_OLDOLDOLDOLDOLDOLDOLDOLDOLD"
	if err := s.table.Write(ctx, table.Create(table.Item{Key: tokenKey(hashed(secret)),
		Data: []byte(`{"tenant":"` + a.ID + `"}`)})); err != nil {
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

// TestTokensUsedAndRevoked: a use is noted, but not each; of one id there is one token; whoever revokes a token while
// it is used revokes it for good; and operators are known by their hashes.
func TestTokensUsedAndRevoked(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	id := NewTokenID()
	_, secret, err := s.NewToken(ctx, a.ID, Token{ID: id, Name: "night job"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.NewToken(ctx, a.ID, Token{ID: id, Name: "again"}); !errors.Is(err, ErrMade) {
		t.Errorf("the same once more: %v", err)
	}
	key := tokenKey(hashed(string(secret)))
	stored := func() table.Item {
		it, err := table.Read(ctx, s.table, key)
		if err != nil {
			t.Fatal(err)
		}
		return it
	}
	fresh := stored()
	if _, _, err := s.Bearer(ctx, string(secret)); err != nil {
		t.Fatal(err)
	}
	used := stored()
	if _, _, err := s.Bearer(ctx, string(secret)); err != nil || used.Rev == fresh.Rev || stored().Rev != used.Rev {
		t.Errorf("its first use is noted, and the next is not: %v", err)
	}
	if list, _, err := s.Tokens(ctx, a.ID, id, 10); err != nil || len(list) > 1 {
		t.Errorf("%v %v", list, err)
	}
	if _, err := s.Revoke(ctx, a.ID, id); err != nil {
		t.Fatal(err)
	}
	s.noteUse(ctx, used, opening{Token{ID: id}, a.ID}, time.Now()) // whoever used it a moment ago
	if _, _, err := s.Bearer(ctx, string(secret)); !errors.Is(err, ErrRevoked) || !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked: %v", err)
	}
	if stored().Rev != "" {
		t.Error("a note of its use brought it back")
	}

	both, err := ParseOperators(hashed("one") + ", " + strings.ToUpper(hashed("two")))
	if err != nil || !both.Know("one") || !both.Know("two") || both.Know("three") || both.Know("") ||
		Operators(nil).Know("") || OperatorsOf("").Know("") || !OperatorsOf("one").Know("one") {
		t.Errorf("%v %v", both, err)
	}
	for _, bad := range []string{"", "one", hashed("one") + ",", hashed("one")[2:], hashed("one") + hashed("two")} {
		if _, err := ParseOperators(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
