package policy

import (
	"slices"
	"strings"
)

// The members of a Principal element.
const (
	awsPrincipal       = "AWS"
	servicePrincipal   = "Service"
	federatedPrincipal = "Federated"
	canonicalPrincipal = "CanonicalUser"
)

// principals are the names in a Principal or NotPrincipal element.
type principals struct {
	everyone  bool
	star      bool     // written as "*" and nothing else
	accounts  []string // twelve digits
	names     []string // ARNs and unique ids
	services  []string
	providers []string
	listed    []listedPrincipal
}

// listedPrincipal is a name as it was written.
type listedPrincipal struct{ kind, name string }

// naming says which of a caller's names are listed.
type naming struct {
	everyone, account, caller, role, user bool
}

// naming finds the caller in the list.
func (l *principals) naming(p *Principal) naming {
	n := naming{everyone: l.everyone, account: slices.Contains(l.accounts, p.Account)}
	for _, name := range l.names {
		switch name {
		case p.ARN:
			n.caller = true
		case p.Role:
			n.role = true
		case p.User:
			n.user = true
		case p.ID:
			n.role = n.role || p.Role != ""
			n.user = n.user || p.User != ""
			n.caller = n.caller || p.Role == "" && p.User == ""
		}
	}
	n.caller = n.caller || slices.Contains(l.services, p.Service) || slices.Contains(l.providers, p.Provider)
	return n
}

// match returns the most direct way in which the list names the caller. Everyone comes before the caller's role and user,
// whose sessions boundaries and session policies limit: a longer list allows no less.
func (l *principals) match(p *Principal) Match {
	switch n := l.naming(p); {
	case n.caller:
		return ByCaller
	case n.everyone:
		return ByEveryone
	case n.role:
		return ByRole
	case n.user:
		return ByUser
	case n.account:
		return ByAccount
	}
	return None
}

// excludes reports whether a NotPrincipal element with this list leaves the caller out.
//
// With Allow, one name suffices: the rest of the caller is not everybody else. With Deny, AWS looks at the account first,
// then at the role, then at the session, and denies at the first that is not listed; so the caller is left out only if each
// of them is (IAM User Guide, "AWS JSON policy elements: NotPrincipal", "Key points"). Services and identity providers
// stand for themselves. Who has a permissions boundary is denied whatever is listed (the same page).
func (l *principals) excludes(p *Principal, deny bool) bool {
	n := l.naming(p)
	switch {
	case deny && p.Bounded:
		return false
	case n.everyone:
		return true
	case !deny:
		return n.account || n.caller || n.role || n.user
	case p.Account == "":
		return n.caller
	}
	itself := n.caller || accountOfRoot(p.ARN) == p.Account
	return n.account && itself && (p.Role == "" || n.role)
}

// matchPrincipal returns how a statement names the caller.
func (s *statement) matchPrincipal(p *Principal) Match {
	if s.principals == nil {
		return ByEveryone
	}
	if p == nil {
		p = &Principal{}
	}
	if !s.notPrincipal {
		return s.principals.match(p)
	}
	if s.principals.excludes(p, s.deny) {
		return None
	}
	return ByEveryone
}

// compilePrincipals reads a Principal or NotPrincipal element.
func (p *parser) compilePrincipals(n *node) (*principals, error) {
	if n.kind == isString {
		if n.text != "*" {
			return nil, p.refuse(InvalidPrincipal, `the principal %q is neither "*" nor an object`, n.text)
		}
		return &principals{everyone: true, star: true, listed: []listedPrincipal{{awsPrincipal, "*"}}}, nil
	}
	if n.kind != isObject {
		return nil, p.refuse(Syntax, `%s is neither "*" nor an object`, n.name)
	}
	l := &principals{}
	for i := range n.items {
		member := &n.items[i]
		names, err := p.strings(member)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !l.add(member.name, name) {
				return nil, p.refuse(InvalidPrincipal, "%q is not a principal of type %s", name, member.name)
			}
		}
	}
	if len(l.listed) == 0 {
		return nil, p.refuse(InvalidPrincipal, "%s names nobody", n.name)
	}
	return l, nil
}

// add adds a name, and reports whether it is one.
func (l *principals) add(kind, name string) bool {
	l.listed = append(l.listed, listedPrincipal{kind, name})
	switch kind {
	case awsPrincipal:
		return l.addAWS(name)
	case servicePrincipal:
		l.services = append(l.services, name)
		return isServiceName(name)
	case federatedPrincipal:
		l.providers = append(l.providers, name)
		return isProvider(name)
	case canonicalPrincipal:
		// Canonical user ids are S3's. Nobody calls with one.
		return name != "" && !strings.ContainsAny(name, "*?")
	}
	return false
}

func (l *principals) addAWS(name string) bool {
	account := accountOfRoot(name)
	switch {
	case name == "*":
		l.everyone = true
	case isAccount(name):
		l.accounts = append(l.accounts, name)
	case account != "":
		l.accounts = append(l.accounts, account)
	case isUniqueID(name), isPrincipalARN(name):
		l.names = append(l.names, name)
	default:
		return false
	}
	return true
}

// isAccount reports whether a name is an account id.
func isAccount(s string) bool { return len(s) == 12 && digits(s) }

// accountOfRoot returns the account whose root user an ARN names, which is the account's own ARN; empty for other names.
func accountOfRoot(name string) string {
	parts, ok := splitARN(name)
	if ok && isARNOf(parts, "iam") && parts[5] == "root" {
		return parts[4]
	}
	return ""
}

// isARNOf reports whether the first five parts are those of a global service in an account.
func isARNOf(parts [arnParts]string, service string) bool {
	return parts[0] == "arn" && isPartition(parts[1]) && parts[2] == service && parts[3] == "" && isAccount(parts[4])
}

// isPartition reports whether a name is of the form of aws, aws-cn, aws-us-gov.
func isPartition(s string) bool {
	return s == "aws" || strings.HasPrefix(s, "aws-") && len(s) > len("aws-") && only(s, "-")
}

// isPrincipalARN reports whether a name is the ARN of a user, a role, a session or a federated user.
func isPrincipalARN(name string) bool {
	parts, ok := splitARN(name)
	if !ok {
		return false
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	path := strings.Split(rest, "/")
	for _, p := range path {
		// The characters of names (IAM API Reference, CreateUser).
		if !only(p, "_+=,.@-") {
			return false
		}
	}
	switch {
	case isARNOf(parts, "iam"):
		return kind == "user" || kind == "role"
	case isARNOf(parts, "sts"):
		return kind == "assumed-role" && len(path) == 2 || kind == "federated-user" && len(path) == 1
	}
	return false
}

// isUniqueID reports whether a name is the unique id of a user or a role.
func isUniqueID(s string) bool {
	if !strings.HasPrefix(s, "AIDA") && !strings.HasPrefix(s, "AROA") || len(s) < 16 || len(s) > 128 {
		return false
	}
	return s == strings.ToUpper(s) && only(s, "")
}

// isServiceName reports whether a name is of the form of s3.amazonaws.com.
func isServiceName(s string) bool { return strings.Contains(s, ".") && only(s, ".-") }

// isProvider reports whether a name can be that of an identity provider: an ARN, or the host of a public one.
func isProvider(s string) bool {
	parts, ok := splitARN(s)
	if !ok {
		return isServiceName(s)
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	return isARNOf(parts, "iam") && (kind == "oidc-provider" || kind == "saml-provider") && only(name, "._-/:%")
}

// only reports whether a text consists of ASCII letters, digits and the given characters, at least one.
func only(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return s != ""
}
