// Command bare is what Trent's speed is measured against: a server on net/http that does the least that an answer to
// Encrypt, Decrypt, GenerateDataKey or DescribeKey takes. It decodes the request with the codec that Trent uses, seals or
// opens once with AES-256-GCM under one fixed key, and encodes the answer. It verifies no signature, knows no keys or
// policies, derives no message keys, and writes nothing down.
//
// Requests and answers have the size of Trent's, so that both move the same bytes.
package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bare: error:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address and port")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := newHandler()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	h := server.NewHTTP(s, slog.New(slog.DiscardHandler))
	fmt.Fprintf(stderr, "bare: ready on http://%s\n", l.Addr())
	defer context.AfterFunc(ctx, func() { h.Close() })()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// prefixSize is what Trent's ciphertexts have before the nonce: the name of the key, and a salt.
const prefixSize = hsm.CiphertextOverhead - 12 - 16

// handler has the one key, and the answers' texts as Trent has them in its records.
type handler struct {
	aead          cipher.AEAD
	prefix        [prefixSize]byte
	arn, material string
	algorithm     kmsapi.EncryptionAlgorithmSpec
	metadata      kmsapi.KeyMetadata
	buffers       sync.Pool // of *[]byte
}

func newHandler() (*handler, error) {
	var key [32]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	const account, id = "111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab"
	s := &handler{
		aead: aead, arn: "arn:aws:kms:us-east-1:" + account + ":key/" + id, material: strings.Repeat("0f", 32),
		algorithm: kmsapi.EncryptionAlgorithmSpecSymmetricDefault,
	}
	s.metadata = kmsapi.KeyMetadata{
		AWSAccountId: new(account), KeyId: new(id), Arn: &s.arn, CreationDate: new(time.Now()), Enabled: new(true), Description: new(""),
		KeyUsage: new(kmsapi.KeyUsageTypeEncryptDecrypt), KeyState: new(kmsapi.KeyStateEnabled), Origin: new(kmsapi.OriginTypeAwsKms),
		KeyManager: new(kmsapi.KeyManagerTypeCustomer), KeySpec: new(kmsapi.KeySpecSymmetricDefault),
		CustomerMasterKeySpec: new(kmsapi.CustomerMasterKeySpecSymmetricDefault), MultiRegion: new(false),
		EncryptionAlgorithms: []kmsapi.EncryptionAlgorithmSpec{s.algorithm}, CurrentKeyMaterialId: &s.material,
	}
	s.buffers.New = func() any { return new(make([]byte, 0, 4<<10)) }
	return s, nil
}

// ServeHTTP reads the body and writes the answer out of one buffer that is used again.
func (s *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	if r.ContentLength < 0 || r.ContentLength > int64(cap(*buf)) {
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	}
	body := (*buf)[:r.ContentLength]
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := s.answer(r.Header.Get("X-Amz-Target"), body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header()["Content-Type"] = contentType
	// A client that has gone is nobody to tell.
	_, _ = w.Write(out.AppendJSON((*buf)[:0]))
}

var contentType = []string{"application/x-amz-json-1.1"}

func (s *handler) answer(target string, body []byte) (api.Output, error) {
	switch target {
	case "TrentService.Decrypt":
		return s.decrypt(body)
	case "TrentService.Encrypt":
		return s.encrypt(body)
	case "TrentService.GenerateDataKey":
		return s.generateDataKey(body)
	case "TrentService.DescribeKey":
		var in kmsapi.DescribeKeyRequest
		return &kmsapi.DescribeKeyResponse{KeyMetadata: &s.metadata}, api.Decode(body, &in)
	}
	return nil, errors.New("unknown operation " + target)
}

func (s *handler) decrypt(body []byte) (api.Output, error) {
	var in kmsapi.DecryptRequest
	if err := api.Decode(body, &in); err != nil {
		return nil, err
	}
	if len(in.CiphertextBlob) < prefixSize {
		return nil, errors.New("ciphertext too short")
	}
	plaintext, err := s.aead.Open(nil, nil, in.CiphertextBlob[prefixSize:], nil)
	return &kmsapi.DecryptResponse{KeyId: &s.arn, Plaintext: plaintext, EncryptionAlgorithm: &s.algorithm, KeyMaterialId: &s.material}, err
}

func (s *handler) encrypt(body []byte) (api.Output, error) {
	var in kmsapi.EncryptRequest
	if err := api.Decode(body, &in); err != nil {
		return nil, err
	}
	return &kmsapi.EncryptResponse{CiphertextBlob: s.seal(in.Plaintext), KeyId: &s.arn, EncryptionAlgorithm: &s.algorithm}, nil
}

func (s *handler) generateDataKey(body []byte) (api.Output, error) {
	var in kmsapi.GenerateDataKeyRequest
	if err := api.Decode(body, &in); err != nil {
		return nil, err
	}
	plaintext := make([]byte, 32)
	rand.Read(plaintext)
	return &kmsapi.GenerateDataKeyResponse{CiphertextBlob: s.seal(plaintext), Plaintext: plaintext, KeyId: &s.arn, KeyMaterialId: &s.material}, nil
}

func (s *handler) seal(plaintext []byte) []byte {
	return s.aead.Seal(append(make([]byte, 0, prefixSize+28+len(plaintext)), s.prefix[:]...), nil, plaintext, nil)
}
