package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Sign signs r, whose body is body, as cred for a service in a Region: it sets X-Amz-Date, X-Amz-Security-Token if
// there is a session token, and Authorization. All x-amz-* headers, Content-Type and host are covered, so set them
// before. It fails when r could not be verified, such as with a repeated query parameter; then r is not signed.
func Sign(r *http.Request, body []byte, cred Credential, region, service string, at time.Time) error {
	timestamp := at.UTC().Format(basicFormat)
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", timestamp)
	if cred.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", cred.SessionToken)
	}
	req, err := received(r)
	if err != nil {
		return err
	}
	if req.host == "" {
		req.host = r.URL.Host
	}
	a := authorization{timestamp: timestamp, signedHeaders: coveredHeaders(r.Header)}
	a.scope = scope{accessKeyID: cred.AccessKeyID, day: timestamp[:8], region: region, service: service}
	var s scratch
	if err := s.stringToSign(&req, &a, body); err != nil {
		return err
	}
	key, err := derive(a.scope, cred.Secret)
	if err != nil {
		return err
	}
	key.sign(&s)
	r.Header.Set("Authorization", a.header(s.hex[:]))
	return nil
}

// coveredHeaders lists the headers that Sign signs.
func coveredHeaders(h http.Header) string {
	names := []string{"host"}
	for name := range h {
		if lower := strings.ToLower(name); lower == "content-type" || strings.HasPrefix(lower, "x-amz-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ";")
}

// header returns the value of the Authorization header.
func (a *authorization) header(signature []byte) string {
	credential := strings.Join([]string{a.accessKeyID, a.day, a.region, a.service, terminator}, "/")
	return algorithm + " Credential=" + credential + ", SignedHeaders=" + a.signedHeaders +
		", Signature=" + string(signature)
}
