package alert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/prose"
)

// Guard keeps calls to addresses that tenants give away from everything that is not the public internet: our own
// network above all, and what a cloud shows to the machines in it. What counts is the address that is dialled, looked
// at in the moment of dialling: what a name led to before, or when it was saved, says nothing.
type Guard struct {
	// Loopback admits this machine, over HTTP too and at any port: for trying things out on one machine, never where
	// there are tenants.
	Loopback bool

	// Instead of the system's; nil = that.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Roots  *x509.CertPool // whose certificates are trusted
}

// refused are the networks that are not called, though they are among those that are unicast.
func refused() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range []string{
		// IPv4
		"0.0.0.0/8",       // this network
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // carriers' (CGNAT)
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, and what a cloud tells its machines
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // relays to IPv6
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // measurements
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, and broadcast
		// IPv6, of what is global unicast
		"2001::/23",     // protocol assignments: Teredo leads to an IPv4 address
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4 leads to an IPv4 address
		"3fff::/20",     // documentation
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// globalUnicast is all of IPv6 that is the public internet. Loopback, link-local, private and multicast addresses,
// IPv4-mapped ones and those that a NAT64 translates to IPv4 (64:ff9b::/96, 64:ff9b:1::/48) are outside it.
func globalUnicast() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// public reports whether an address is one of the public internet.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is6() && !globalUnicast().Contains(a) {
		return false
	}
	for _, p := range refused() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// allows reports whether an address may be dialled.
func (g Guard) allows(a netip.Addr) bool {
	return public(a) || g.Loopback && a.Unmap().IsLoopback()
}

// httpsPort is the only one that is called.
const httpsPort = "443"

// fault says why an address is not one that is called; "" = it may be. Where its name leads is looked at when it is
// called.
func (g Guard) fault(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return "This is no address, as https://example.com/alerts."
	}
	ip, notIP := netip.ParseAddr(u.Hostname())
	here := g.Loopback && (notIP == nil && ip.Unmap().IsLoopback() || strings.EqualFold(u.Hostname(), "localhost"))
	switch {
	case len(address) > mostURL:
		return fmt.Sprintf("The address is longer than %d characters.", mostURL)
	case strings.ContainsFunc(address, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return "There are blanks in the address."
	case u.User != nil:
		return "Leave the user name and the password out: what is sent is signed."
	case u.Fragment != "" || strings.HasSuffix(address, "#"):
		return "Leave out what begins with #."
	case here && (u.Scheme == "http" || u.Scheme == "https"):
		return ""
	case u.Scheme != "https":
		return "The address begins with https://."
	case u.Port() != "" && u.Port() != httpsPort:
		return "Only port 443 is called, which is that of https://."
	case notIP == nil && !g.allows(ip):
		return "This is not an address on the internet."
	}
	return ""
}

// notPublic is the error of dialling where a name leads to what is not called.
type notPublic struct{ host string }

func (e *notPublic) Error() string {
	return prose.Within(e.host, 100) + " does not lead to an address on the internet"
}

var errNoName = errors.New("the name is not known")

// dial connects to a host at addresses that are allowed, and to no other: one by one, each as it was looked at.
func (g Guard) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addresses, err := g.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	failed := error(&notPublic{host})
	for _, a := range addresses {
		if !g.allows(a) || port != httpsPort && !a.Unmap().IsLoopback() {
			continue
		}
		conn, err := g.dialOne(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}

func (g Guard) dialOne(ctx context.Context, network, address string) (net.Conn, error) {
	if g.Dial != nil {
		return g.Dial(ctx, network, address)
	}
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
}

// lookup finds a host's addresses; those of an address are itself.
func (g Guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if g.Lookup != nil {
		return g.Lookup(ctx, host)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return nil, errNoName
	}
	for i := range found {
		if found[i].Is4In6() { // the resolver gives IPv4 addresses so, too
			found[i] = found[i].Unmap()
		}
	}
	return found, err
}

// transport calls addresses that tenants give.
func (g Guard) transport() *http.Transport {
	return &http.Transport{
		DialContext: g.dial, // and no proxy, which would look names up itself
		// A connection that stays open would be used again whatever the name leads to by then.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		ForceAttemptHTTP2:      false,
		TLSClientConfig:        &tls.Config{RootCAs: g.Roots},
		TLSHandshakeTimeout:    5 * time.Second,
		MaxResponseHeaderBytes: 16 << 10,
	}
}
