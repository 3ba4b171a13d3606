package alert

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/tenant"
)

// TestPublic: which addresses are called, with the first and the last of each network that is not.
func TestPublic(t *testing.T) {
	for what, list := range map[string]string{
		"unspecified":       "0.0.0.0 0.255.255.255 ::",
		"private":           "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255",
		"unique local":      "fc00:: fdff:ffff::1",
		"carriers'":         "100.64.0.0 100.127.255.255",
		"loopback":          "127.0.0.1 127.255.255.255 ::1",
		"link-local":        "169.254.0.0 169.254.255.255 fe80:: febf::1 fe80::1%eth0",
		"metadata":          "169.254.169.254 169.254.170.2 fd00:ec2::254",
		"assignments":       "192.0.0.0 192.0.0.255 2001:: 2001:1ff:ffff::1",
		"documentation":     "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1",
		"measurements":      "198.18.0.0 198.19.255.255",
		"relays":            "192.88.99.1 2002:a00:1::1",
		"multicast":         "224.0.0.0 239.255.255.255 ff02::1",
		"reserved":          "240.0.0.0 255.255.255.255",
		"IPv4-mapped":       "::ffff:8.8.8.8 ::ffff:10.0.0.1 ::ffff:169.254.169.254",
		"IPv4-compatible":   "::8.8.8.8",
		"NAT64":             "64:ff9b::a00:1 64:ff9b::808:808 64:ff9b:1::a00:1",
		"site-local":        "fec0::1",
		"not given out yet": "4000::1 100::1 5f00::1 e000::1",
	} {
		for s := range strings.FieldsSeq(list) {
			if a := netip.MustParseAddr(s); public(a) || (Guard{}).allows(a) {
				t.Errorf("%s, %s, is called", s, what)
			}
		}
	}
	for s := range strings.FieldsSeq("1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 " +
		"126.255.255.255 128.0.0.0 169.253.255.255 " +
		"169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 223.255.255.255 " +
		"2000::1 2001:200::1 2001:4860:4860::8888 2a00::1 2600:1f00::1 3ffe:ffff::1") {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is not called", s)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is called")
	}
	here := Guard{Loopback: true}
	for s, ok := range map[string]bool{"127.0.0.1": true, "::1": true, "10.0.0.1": false, "169.254.169.254": false,
		"0.0.0.0": false} {
		if here.allows(netip.MustParseAddr(s)) != ok {
			t.Errorf("with loopback: %s", s)
		}
	}
}

// TestLeads: where a name leads counts when it is called, and what is dialled is what was looked at.
func TestLeads(t *testing.T) {
	for leads, want := range map[string]string{
		"10.0.0.1":                         "",
		"169.254.169.254":                  "",
		"127.0.0.1":                        "",
		"0.0.0.0":                          "",
		"100.64.1.1":                       "",
		"::1":                              "",
		"fe80::1":                          "",
		"fd00:ec2::254":                    "",
		"::ffff:127.0.0.1":                 "",
		"64:ff9b::7f00:1":                  "",
		"224.0.0.1":                        "",
		"":                                 "",
		"10.0.0.1 8.8.8.8 169.254.169.254": "8.8.8.8:443",
		"2001:4860:4860::8888":             "[2001:4860:4860::8888]:443",
	} {
		r := newRig(t)
		r.Guard.Lookup = func(_ context.Context, host string) (list []netip.Addr, err error) {
			if host != "example.com" {
				t.Errorf("looked up %q", host)
			}
			for s := range strings.FieldsSeq(leads) {
				list = append(list, netip.MustParseAddr(s))
			}
			return list, nil
		}
		r.setUp(Setup{URL: receiverURL, Frequency: AtOnce})
		r.wrong = []Matter{matter("TEA", 1)}
		r.tick(soon)
		if got := strings.Join(r.hooks.dialed, " "); got != want || len(r.hooks.all()) > 0 != (want != "") {
			t.Errorf("%q: dialled %q, %d came", leads, got, len(r.hooks.all()))
		}
		if c := r.stored().Hook; want == "" && c.Refusal() !=
			"Example.com does not lead to an address on the internet. Nothing was sent." {
			t.Errorf("%q: %+v", leads, c.Log)
		}
	}
}

// TestRebinding: a name that leads elsewhere each time it is looked up is dialled only where a look-up said, and never
// inside. The real dialer is used: it gets no name to look up again.
func TestRebinding(t *testing.T) {
	answers, asked := []string{"8.8.8.8", "127.0.0.1"}, 0
	var dialed []string
	g := Guard{
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			a := netip.MustParseAddr(answers[asked%2])
			asked++
			return []netip.Addr{a}, nil
		},
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if _, perr := netip.ParseAddr(host); err != nil || perr != nil {
				t.Errorf("the dialer gets %q to look up", address)
			}
			dialed = append(dialed, address)
			return nil, errors.New("not dialled in a test")
		},
	}
	for range 10 {
		_, err := g.dial(t.Context(), "tcp", "rebind.example.com:443")
		_, inside := errors.AsType[*notPublic](err)
		if inside != (asked%2 == 0) {
			t.Errorf("look-up %d: %v", asked, err)
		}
	}
	if asked != 10 || len(dialed) != 5 ||
		slices.ContainsFunc(dialed, func(a string) bool { return a != "8.8.8.8:443" }) {
		t.Errorf("%d look-ups, dialled %v", asked, dialed)
	}
	if _, err := g.dial(t.Context(), "tcp", "rebind.example.com:22"); err == nil || len(dialed) != 5 {
		t.Error("another port is dialled")
	}
}

// TestRealDialer: by default nothing on this machine is reached, though somebody listens; with loopback switched on it
// is, and still nothing else.
func TestRealDialer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reached := 0
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reached++ })}
	go srv.Serve(ln)
	defer srv.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, loopback := range []bool{false, true} {
		for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::]",
			"[::ffff:127.0.0.1]", "[::1]"} {
			a := Alerts{Setup: Setup{URL: "http://" + host + ":" + port + "/"}}
			r := newRig(t)
			r.Guard = Guard{Loopback: loopback, Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
				if host == "localhost" {
					return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
				}
				return nil, errNoName
			}}
			if _, err := r.newSecret(t.Context(), r.of.ID, &a, Secrets{}); err != nil {
				t.Fatal(err)
			}
			before := reached
			out := r.hook(t.Context(), tenant.Bundle{Tenant: r.of}, a, Message{ID: "msg_1", At: r.clock})
			want := loopback && (host == "127.0.0.1" || host == "localhost" || host == "[::ffff:127.0.0.1]")
			if out.Taken != want || reached > before != want {
				t.Errorf("loopback %v, %s: %+v", loopback, host, out)
			}
			if loopback {
				continue
			}
			// The same, where the address was saved by a version that looked at it less closely.
			hostPort := net.JoinHostPort(strings.Trim(host, "[]"), port)
			if conn, err := r.Guard.dial(t.Context(), "tcp", hostPort); err == nil {
				conn.Close()
				t.Errorf("%s is dialled", host)
			}
		}
	}
}

// TestSlowAndHuge: an answer is bounded in time and size. One whose status came is an answer, whatever follows.
func TestSlowAndHuge(t *testing.T) {
	for fail, want := range map[string]string{
		"hang": "It did not answer in time.", "slow body": "It answered 200.", "huge body": "It answered 200.",
	} {
		t.Run(fail, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if r.Times.Call = 2 * time.Second; fail == "huge body" {
				r.Times.Call = time.Hour
			}
			r.setUp(both)
			r.hooks.set(fail)
			r.wrong = []Matter{matter("TEA", 1)}
			r.tick(soon)
			if c := r.stored().Hook; c.Log[0].Answer != want || c.Log[0].Taken != (fail != "hang") {
				t.Errorf("%+v", c)
			}
			if len(r.mails.sent) != 1 {
				t.Errorf("%d e-mails", len(r.mails.sent))
			}
		})
	}
}

// TestUntrusted: a certificate that nobody vouches for ends the call before anything is sent.
func TestUntrusted(t *testing.T) {
	r := newRig(t)
	r.setUp(Setup{URL: "https://elsewhere.example/alerts", Frequency: AtOnce}) // the certificate is example.com's
	r.wrong = []Matter{matter("TEA", 1)}
	r.tick(soon)
	if c := r.stored().Hook; c.Refusal() !=
		"Its certificate is not one that is trusted for this name. Nothing was sent." || len(r.hooks.all()) > 0 {
		t.Errorf("%+v", c)
	}
	r.Guard.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, errNoName }
	r.tick(soon)
	if c := r.stored().Hook; c.Refusal() != "Its name is not known. Nothing was sent." {
		t.Errorf("%+v", c)
	}
}
