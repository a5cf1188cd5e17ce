//go:build linux

package subject

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/trent-kms/trent/bench/load"
	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// fillers is how many connections fill a server.
const fillers = 32

// CreateKeys creates n keys and returns their ids.
func (s *Server) CreateKeys(ctx context.Context, n int) ([]string, error) {
	return s.CreateKeysWith(ctx, n, "")
}

// CreateKeysWith is CreateKeys with a key policy; empty: the default policy.
func (s *Server) CreateKeysWith(ctx context.Context, n int, policy string) ([]string, error) {
	ids := make([]string, n)
	var in kmsapi.CreateKeyRequest
	if policy != "" {
		in.Policy = &policy
	}
	request := in.AppendJSON(nil)
	err := s.each(ctx, "CreateKey", n, func(int) []byte { return request }, func(i int, body []byte) error {
		var out kmsapi.CreateKeyResponse
		if err := api.Decode(body, &out); err != nil {
			return err
		}
		ids[i] = *out.KeyMetadata.KeyId
		return nil
	})
	return ids, err
}

// each sends n requests, signed as they go.
func (s *Server) each(ctx context.Context, operation string, n int, body func(i int) []byte, got func(i int, body []byte) error) error {
	g, err := load.Open(s.Addr, fillers)
	if err != nil {
		return err
	}
	defer g.Close()
	request := func(i int) ([]byte, error) { return s.Request(operation, body(i), time.Now()) }
	if err := g.Each(ctx, n, request, got); err != nil {
		return fmt.Errorf("%s at the %s server: %w", operation, s.Name, err)
	}
	return nil
}

// encryptionContext is the encryption context of request i: two pairs, as people who use one have it.
func encryptionContext(i int) map[string]string {
	return map[string]string{"tenant": "tenant-" + strconv.Itoa(100_000+i), "purpose": "orders"}
}

// plaintextSize is that of the plaintexts that are encrypted: a data key.
const plaintextSize = 32

// Operations are those that Bodies knows.
var Operations = []string{"Decrypt", "GenerateDataKey", "Encrypt", "DescribeKey", "CreateKey"}

// Bodies returns n bodies of requests for an operation, each with a key of keys in turn.
func (s *Server) Bodies(ctx context.Context, operation string, keys []string, n int) ([][]byte, error) {
	if operation == "Decrypt" {
		return s.decryptBodies(ctx, keys, n)
	}
	bodies := make([][]byte, n)
	for i := range bodies {
		key := &keys[i%len(keys)]
		switch operation {
		case "CreateKey":
			bodies[i] = []byte("{}")
		case "DescribeKey":
			bodies[i] = (&kmsapi.DescribeKeyRequest{KeyId: key}).AppendJSON(nil)
		case "Encrypt":
			bodies[i] = encryptBody(key, i)
		case "GenerateDataKey":
			in := kmsapi.GenerateDataKeyRequest{KeyId: key, KeySpec: new(kmsapi.DataKeySpecAes256), EncryptionContext: encryptionContext(i)}
			bodies[i] = in.AppendJSON(nil)
		default:
			return nil, fmt.Errorf("no requests for operation %q", operation)
		}
	}
	return bodies, nil
}

func encryptBody(key *string, i int) []byte {
	plaintext := make([]byte, plaintextSize)
	rand.Read(plaintext)
	return (&kmsapi.EncryptRequest{KeyId: key, Plaintext: plaintext, EncryptionContext: encryptionContext(i)}).AppendJSON(nil)
}

// decryptBodies asks for ciphertexts that the server has made. They do not name a key: the ciphertext does.
func (s *Server) decryptBodies(ctx context.Context, keys []string, n int) ([][]byte, error) {
	bodies := make([][]byte, n)
	err := s.each(ctx, "Encrypt", n, func(i int) []byte { return encryptBody(&keys[i%len(keys)], i) }, func(i int, body []byte) error {
		var out kmsapi.EncryptResponse
		if err := api.Decode(body, &out); err != nil {
			return err
		}
		in := kmsapi.DecryptRequest{CiphertextBlob: out.CiphertextBlob, EncryptionContext: encryptionContext(i)}
		bodies[i] = in.AppendJSON(nil)
		return nil
	})
	return bodies, err
}
