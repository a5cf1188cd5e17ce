package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

const (
	defaultPort   = "2379"
	defaultPrefix = "/trent"
)

// Parse returns the Config that a URL describes:
//
//	etcd://HOST[:PORT][,HOST[:PORT]…][/PREFIX][?user=NAME&password-file=FILE]
//	etcds://…[?ca=FILE&cert=FILE&key=FILE&user=NAME&password-file=FILE]
//
// The port is 2379 and the prefix /trent if not given. etcds connects with TLS, and trusts the certificate authorities in
// the PEM file ca, or the system's; cert and key are this client's. It reads the files. A password in the URL is refused:
// URLs are seen in process lists and logs.
func Parse(raw string) (Config, error) {
	cfg, err := parse(raw)
	if err != nil {
		return Config{}, fmt.Errorf("store URL: %w", err)
	}
	return cfg, nil
}

func parse(raw string) (Config, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	if scheme != "etcd" && scheme != "etcds" {
		return Config{}, errors.New("it begins with neither etcd:// nor etcds://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, prefix, hasPrefix := strings.Cut(rest, "/")
	cfg := Config{Prefix: defaultPrefix}
	if hasPrefix && strings.Trim(prefix, "/") != "" {
		cfg.Prefix = "/" + strings.TrimSuffix(prefix, "/")
	}
	for _, host := range strings.Split(hosts, ",") {
		endpoint, err := parseHost(host)
		if err != nil {
			return Config{}, err
		}
		cfg.Endpoints = append(cfg.Endpoints, endpoint)
	}
	options, err := parseOptions(query)
	if err != nil {
		return Config{}, err
	}
	if err := options.apply(&cfg, scheme == "etcds"); err != nil {
		return Config{}, err
	}
	return cfg, cfg.check()
}

// parseHost returns host:port.
func parseHost(host string) (string, error) {
	if strings.Contains(host, "@") {
		return "", errors.New("it must not hold a password; use user=NAME&password-file=FILE")
	}
	u, err := url.Parse("//" + host)
	if err != nil || u.Host != host || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") != strings.HasPrefix(host, "[") {
		return "", fmt.Errorf("%.100q is no HOST:PORT", host)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// options are the parameters of the URL; all but the user are files.
type options struct{ ca, cert, key, user, passwordFile string }

func parseOptions(query string) (options, error) {
	var o options
	fields := map[string]*string{"ca": &o.ca, "cert": &o.cert, "key": &o.key, "user": &o.user, "password-file": &o.passwordFile}
	values, err := url.ParseQuery(query)
	if err != nil {
		return options{}, err
	}
	for name, v := range values {
		field, known := fields[name]
		if !known {
			return options{}, fmt.Errorf("unknown parameter %.100q", name)
		}
		if len(v) != 1 || v[0] == "" {
			return options{}, fmt.Errorf("parameter %s must be given once and not be empty", name)
		}
		*field = v[0]
	}
	if (o.cert == "") != (o.key == "") {
		return options{}, errors.New("cert and key go together")
	}
	if (o.user == "") != (o.passwordFile == "") {
		return options{}, errors.New("user and password-file go together")
	}
	return o, nil
}

func (o options) apply(cfg *Config, secure bool) error {
	if o.user != "" {
		password, err := os.ReadFile(o.passwordFile)
		if err != nil {
			return err
		}
		cfg.Username, cfg.Password = o.user, strings.TrimRight(string(password), "\r\n")
	}
	if !secure {
		if o.ca != "" || o.cert != "" {
			return errors.New("ca, cert and key are for etcds://")
		}
		return nil
	}
	var err error
	cfg.TLS, err = o.tls()
	return err
}

func (o options) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", o.ca)
		}
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
