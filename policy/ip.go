package policy

import (
	"fmt"
	"net/netip"
	"strings"
)

// ipTest is IpAddress.
type ipTest struct {
	prefixes []netip.Prefix
	texts    []string
}

func newIPTest(values []string) (test, error) {
	t := &ipTest{make([]netip.Prefix, len(values)), values}
	for i, v := range values {
		p, err := parsePrefix(v)
		if err != nil {
			return nil, err
		}
		t.prefixes[i] = p
	}
	return t, nil
}

// parsePrefix reads addresses in CIDR notation (RFC 4632, RFC 4291); an address alone is a network of one.
// IPv4 addresses written as IPv6 ones count as IPv4, in the policy and in requests.
func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, ok := parseAddr(s)
		if !ok {
			return netip.Prefix{}, fmt.Errorf("%q is not an IP address", s)
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not in CIDR notation", s)
	}
	const mapped = 96
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p.Masked(), nil
}

func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil && a.Zone() == ""
}

func (t *ipTest) matches(got string, _ Context, w work) (matched bool, left work) {
	left = w.parsed(got, len(t.prefixes))
	a, ok := parseAddr(got)
	if !ok {
		return false, left
	}
	for _, p := range t.prefixes {
		if p.Contains(a) {
			return true, left
		}
	}
	return false, left
}

func (t *ipTest) wanted(Context) []string { return t.texts }
