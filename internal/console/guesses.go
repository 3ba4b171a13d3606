package console

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// Bounds of guesses.
const (
	guessesMost  = 100         // tokens that do not exist, from one address within guessesFor
	guessesFor   = time.Minute // then the address begins anew
	guessesPlace = 1000        // how many addresses, and how many right tokens, are remembered
)

// guesses slows whoever tries out tokens: from an address that sent many different ones that do not exist, only those
// are looked at for a while that were right before. Others at the same address with the same old mistake, as a program
// with a token that was mistyped, count once. It is what one process remembers, which is enough: a token has 128 random
// bits.
type guesses struct {
	mu    sync.Mutex
	from  map[string]*guessing
	known map[tokenHash]bool
}

type tokenHash [sha256.Size]byte

// guessing is what came from one address.
type guessing struct {
	until time.Time
	tried map[tokenHash]bool
}

// wait is how long nothing is looked at of what comes from an address; 0 = it is looked at.
func (g *guesses) wait(address, token string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.from[network(address)]
	if at == nil || len(at.tried) < guessesMost || g.known[sha256.Sum256([]byte(token))] {
		return 0
	}
	return max(at.until.Sub(now), 0)
}

// wrong notes a token that does not exist.
func (g *guesses) wrong(address, token string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	address = network(address)
	at := g.from[address]
	if at == nil || !now.Before(at.until) {
		if g.from == nil || len(g.from) >= guessesPlace {
			g.from = map[string]*guessing{}
		}
		at = &guessing{now.Add(guessesFor), map[tokenHash]bool{}}
		g.from[address] = at
	}
	at.tried[sha256.Sum256([]byte(token))] = true
}

// right notes a token that exists.
func (g *guesses) right(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil || len(g.known) >= guessesPlace {
		g.known = map[tokenHash]bool{}
	}
	g.known[sha256.Sum256([]byte(token))] = true
}

// network is the part of an address that one household has: of IPv6 the first 64 bits.
func network(address string) string {
	host := address
	if at, err := netip.ParseAddrPort(address); err == nil {
		host = at.Addr().String()
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is6() {
		if part, err := ip.WithZone("").Prefix(64); err == nil {
			return part.String()
		}
	}
	return ip.String()
}
