package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
)

// Issuer is an OpenID Connect identity provider on the loopback address, as far as those need it who trust it: its
// configuration, its public key, and ID tokens.
type Issuer struct {
	URL    string // http://127.0.0.1:40123
	server *httptest.Server
	key    *ecdsa.PrivateKey
}

// NewIssuer starts one with a key of its own.
func NewIssuer() (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	i := &Issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]any{"keys": []any{i.jwk()}}) })
	i.server = httptest.NewServer(mux)
	i.URL = i.server.URL
	return i, nil
}

// Close ends it.
func (i *Issuer) Close() { i.server.Close() }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// keyID names the one key.
const keyID = "1"

// jwk is the public key (RFC 7518, section 6.2.1).
func (i *Issuer) jwk() map[string]string {
	point, err := i.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil
	}
	return map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": keyID, "x": encode(point[1:33]), "y": encode(point[33:])}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Token signs an ID token (RFC 7519) with these claims and the issuer's name, unless they have another.
func (i *Issuer) Token(claims map[string]any) (string, error) {
	all := map[string]any{"iss": i.URL}
	maps.Copy(all, claims)
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": keyID, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	text := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + encode(signature), nil
}
