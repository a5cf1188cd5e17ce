// Package fetch gets documents of identity providers over HTTPS: where a provider's keys are, and the keys.
//
// The addresses come from administrators of accounts, and from what their providers answer, so they are not trusted: a
// server must not be led to something that only it can reach. One GET is sent, without credentials; the name is resolved
// once, and the address that is dialled is the one that was looked at; loopback, link-local (with the metadata services of
// clouds) and multicast addresses are refused; a redirect stays on its host; and nothing of an answer but the document
// itself, which is bounded, goes to anybody. Private addresses are allowed: that is where the providers of a self-hosted
// deployment are. No proxy is used.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	timeout        = 10 * time.Second
	maxRedirects   = 3
	maxHeaderBytes = 16 << 10
	// MaxBytes bounds a document. Key sets of large providers take a tenth of it.
	MaxBytes = 256 << 10
)

var (
	// ErrURL says that a URL is not one to fetch: not https, without a host, with a user, or of an address that is refused.
	ErrURL = errors.New("fetch: URL not allowed")
	// ErrAnswer says that what came is no document: another status than 200, too many redirects, or too much.
	ErrAnswer = errors.New("fetch: no usable answer")
	// ErrCertificate says that the server has no certificate for its name that is trusted, nor one with a thumbprint that was
	// given.
	ErrCertificate = errors.New("fetch: certificate not trusted")
)

// Client fetches documents. Safe for concurrent use.
type Client struct{ dev bool }

// New returns a Client. dev allows the loopback interface, also without TLS. Never set in production.
func New(dev bool) *Client { return &Client{dev: dev} }

// Get returns the document at a URL, at most MaxBytes of it. thumbprints are SHA-1 digests of certificates, 40 lower-case
// hexadecimal digits: a server whose certificate is not trusted otherwise is, if the topmost certificate that it sends has
// one of them. It takes at most ten seconds.
func (c *Client) Get(ctx context.Context, address string, thumbprints []string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if err := c.check(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := c.transport(u.Scheme, u.Hostname(), thumbprints)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, past []*http.Request) error {
		if len(past) > maxRedirects || next.URL.Scheme != u.Scheme || next.URL.Host != u.Host {
			return fmt.Errorf("%w: redirected too often, or to another host", ErrAnswer)
		}
		return c.check(next.URL)
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "trent")
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return document(answer)
}

func document(answer *http.Response) ([]byte, error) {
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", ErrAnswer, answer.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrAnswer, MaxBytes)
	}
	return b, nil
}

func (c *Client) check(u *url.URL) error {
	if u.Hostname() == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !c.dev) {
		return fmt.Errorf("%w: not https, or not only a host and a path", ErrURL)
	}
	return nil
}

// transport is for one document: a connection that one set of thumbprints has let in must not serve another.
func (c *Client) transport(scheme, host string, thumbprints []string) *http.Transport {
	dialer := &net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return c.checkAddress(scheme, address)
	}}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: tlsConfig(host, thumbprints), DisableKeepAlives: true,
		// A compressed answer could be small and still be much.
		DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes, TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
	}
}

// refused are addresses behind which no identity provider is: "this network" and the broadcast address (RFC 1122), and where
// clouds have their metadata and platform services besides the link-local addresses.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("255.255.255.255/32"), netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.192/32"), netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("fd20:ce::254/128"),
}

// Prefixes of IPv6 addresses that stand for IPv4 addresses: NAT64 (RFC 6052), 6to4 (RFC 3056), and the IPv4-compatible ones of
// RFC 4291.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	compatible = netip.MustParsePrefix("::/96")
)

// reached is the address that is reached by dialling another.
func reached(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() {
		return ip
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip), compatible.Contains(ip) && !ip.IsUnspecified() && !ip.IsLoopback():
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:]))
	}
	return ip
}

// checkAddress looks at an address, with its port, just before it is dialled.
func (c *Client) checkAddress(scheme, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrURL, err)
	}
	ip := reached(at.Addr())
	inside := func(p netip.Prefix) bool { return p.Contains(ip) }
	switch {
	case c.dev && ip.IsLoopback():
		return nil
	case scheme != "https", ip.IsLoopback(), ip.IsUnspecified(), ip.IsMulticast(), ip.IsLinkLocalUnicast(), slices.ContainsFunc(refused, inside):
		return fmt.Errorf("%w: %s is not an address of an identity provider", ErrURL, strings.TrimSuffix(address, ":"))
	}
	return nil
}
