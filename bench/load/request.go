//go:build linux

package load

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// Host is the Host of all requests, whatever server they go to, so that one request is the same for all servers.
const Host = "localhost:4599"

// userAgent is what AWS SDK for Go v2 sends, in form and length.
const userAgent = "aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/kms#1.62.4 m/E,g"

// Signer makes requests in the name of one access key.
type Signer struct {
	Credential sigv4.Credential
	Region     string
}

// Request returns the bytes of one signed HTTP/1.1 request for an operation of KMS, with the headers that an AWS SDK
// sends. It can be sent for five minutes after at.
func (s Signer) Request(operation string, body []byte, at time.Time) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+Host+"/", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if err := sigv4.Sign(r, body, s.Credential, s.Region, "kms", at); err != nil {
		return nil, fmt.Errorf("load: signing %s: %w", operation, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST / HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nContent-Length: %d\r\n", Host, userAgent, len(body))
	b.WriteString("Amz-Sdk-Invocation-Id: 6f1e2c6a-3c55-4e9f-9f0e-0d6f1b7a2c11\r\nAmz-Sdk-Request: attempt=1; max=3\r\n")
	if err := r.Header.Write(&b); err != nil {
		return nil, err
	}
	b.WriteString("Accept-Encoding: gzip\r\n\r\n")
	b.Write(body)
	return b.Bytes(), nil
}
