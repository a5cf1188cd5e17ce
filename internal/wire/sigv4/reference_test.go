package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// reference signs as AWS's documentation tells it, in the plainest way and with none of the package's code: the second
// opinion that the tests compare with. AWS's vectors vouch for it too.
type reference struct {
	id, secret, token string
	timestamp         string
	region, service   string
	signed            []string // header names; empty: host, content-type and every x-amz-*
	payload           string   // what to put for the hash of the body; empty: the hash
	expires           string   // X-Amz-Expires of the query form
}

func example() reference {
	return reference{
		id: exampleKey, secret: exampleSecret, timestamp: "20150830T123600Z", region: "eu-central-1", service: "kms",
	}
}

func (s reference) scope() string {
	return s.timestamp[:8] + "/" + s.region + "/" + s.service + "/aws4_request"
}

// sign sets the headers of the header form.
func (s reference) sign(r *http.Request, body []byte) {
	if s.token != "" {
		r.Header.Set("X-Amz-Security-Token", s.token)
	}
	names := s.names(r.Header)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.id+"/"+s.scope()+
		", SignedHeaders="+strings.Join(names, ";")+", Signature="+s.signature(r, body, names))
}

// presign sets the query of the query form.
func (s reference) presign(r *http.Request, body []byte) {
	names := s.names(r.Header)
	q := r.URL.Query()
	q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	q.Set("X-Amz-Credential", s.id+"/"+s.scope())
	q.Set("X-Amz-Date", s.timestamp)
	q.Set("X-Amz-SignedHeaders", strings.Join(names, ";"))
	if s.expires != "" {
		q.Set("X-Amz-Expires", s.expires)
	}
	if s.token != "" {
		q.Set("X-Amz-Security-Token", s.token)
	}
	r.URL.RawQuery = q.Encode()
	q.Set("X-Amz-Signature", s.signature(r, body, names))
	setQuery(r, q.Encode())
}

// setQuery changes the query of a received request.
func setQuery(r *http.Request, raw string) {
	r.URL.RawQuery = raw
	r.RequestURI = r.URL.RequestURI()
}

func (s reference) names(h http.Header) []string {
	if s.signed != nil {
		return s.signed
	}
	names := []string{"host"}
	for name := range h {
		if l := strings.ToLower(name); l == "content-type" || strings.HasPrefix(l, "x-amz-") {
			names = append(names, l)
		}
	}
	sort.Strings(names)
	return names
}

func (s reference) signature(r *http.Request, body []byte, names []string) string {
	key := []byte("AWS4" + s.secret)
	for _, part := range strings.Split(s.scope(), "/") {
		key = refMAC(key, part)
	}
	toSign := "AWS4-HMAC-SHA256\n" + s.timestamp + "\n" + s.scope() + "\n" + refHash(s.canonical(r, body, names))
	return hex.EncodeToString(refMAC(key, toSign))
}

func (s reference) canonical(r *http.Request, body []byte, names []string) string {
	headers := ""
	for _, name := range names {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{r.Host}
		}
		var folded []string
		for _, v := range values {
			folded = append(folded, strings.Join(strings.Fields(v), " "))
		}
		headers += name + ":" + strings.Join(folded, ",") + "\n"
	}
	payload := s.payload
	if payload == "" {
		payload = refHash(string(body))
	}
	return strings.Join([]string{
		r.Method, refPath(r.URL.EscapedPath()), refQuery(r.URL.RawQuery), headers, strings.Join(names, ";"), payload,
	}, "\n")
}

func refPath(p string) string {
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return strings.ReplaceAll(refEscape(clean), "%2F", "/")
}

func refQuery(raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "unparseable"
	}
	var pairs [][2]string
	for name, vv := range values {
		for _, v := range vv {
			pairs = append(pairs, [2]string{refEscape(name), refEscape(v)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var parts []string
	for _, p := range pairs {
		parts = append(parts, p[0]+"="+p[1])
	}
	return strings.Join(parts, "&")
}

func refEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func refHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func refMAC(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
